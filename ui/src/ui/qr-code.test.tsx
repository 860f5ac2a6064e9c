import { render, screen } from "@testing-library/react";
import decodeQR from "qr/decode.js";
import { expect, it } from "vitest";

import QrCode from "./qr-code";

const SCALE = 4;

it("a QR code says what it was made of, to those who have eyes and those who have none", () => {
  const link = `http://127.0.0.1:7717/#pair=${"Aa0_-".repeat(9)}`;
  render(<QrCode text={link} label="The link as a QR code" />);
  const picture = screen.getByRole("img", { name: "The link as a QR code" });
  const [, , size = 0] = (picture.getAttribute("viewBox") ?? "").split(" ").map(Number);
  const drawn = picture.querySelector("path")?.getAttribute("d") ?? "";
  expect(decodeQR(rasterize(drawn, size))).toBe(link);
});

/** Draws the squares of the path as a camera would see them. */
function rasterize(path: string, size: number) {
  const width = size * SCALE;
  const data = new Uint8ClampedArray(width * width * 4).fill(255);
  for (const [, x = "", y = ""] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let row = 0; row < SCALE; row += 1) {
      for (let column = 0; column < SCALE; column += 1) {
        const at = ((Number(y) * SCALE + row) * width + Number(x) * SCALE + column) * 4;
        data.fill(0, at, at + 3);
      }
    }
  }
  return { width, height: width, data };
}
