import encodeQR from "qr";
import { useMemo } from "react";

/** Empty squares around the code, without which readers do not find it. */
const QUIET_SQUARES = 4;

/** Text as a code for the camera of a phone. Black on white in every theme, because that is what cameras read. */
export default function QrCode({ text, label }: { text: string; label: string }) {
  const { path, size } = useMemo(() => draw(text), [text]);
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${size} ${size}`}
      shapeRendering="crispEdges"
      className="aspect-square w-full max-w-60 rounded-lg bg-white"
    >
      <path d={path} fill="#000" />
    </svg>
  );
}

function draw(text: string): { path: string; size: number } {
  const rows = encodeQR(text, "raw", { border: QUIET_SQUARES });
  const squares = rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return { path: squares.join(""), size: rows.length };
}
