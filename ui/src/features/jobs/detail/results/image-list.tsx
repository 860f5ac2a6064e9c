import { isList, isRecord, number, text } from "~/json";
import { CopyButton } from "~/ui/copy-button";
import { DataTable } from "~/ui/data-table";
import { formatBytes } from "~/ui/duration";
import { Facts } from "~/ui/facts";

interface Thumbnail {
  source: string;
  thumbnail: string;
  size: string;
  bytes: number | undefined;
}

export interface Images {
  folder: string;
  contactSheet: string | undefined;
  thumbnails: Thumbnail[];
  failures: { source: string; reason: string }[];
}

/** Reads the result of `image-thumbnails`; `undefined` where it is something else. */
export function readImageList(result: Record<string, unknown>): Images | undefined {
  const folder = text(result["output_folder"]);
  const { thumbnails, failures } = result;
  if (folder === undefined || !isList(thumbnails)) return undefined;
  return {
    folder,
    contactSheet: text(result["contact_sheet"]),
    thumbnails: thumbnails.filter(isRecord).flatMap((item) => {
      const source = text(item["source"]);
      const thumbnail = text(item["thumbnail"]);
      if (source === undefined || thumbnail === undefined) return [];
      const size = `${number(item["width"]) ?? "?"} × ${number(item["height"]) ?? "?"}`;
      return [{ source, thumbnail, size, bytes: number(item["bytes"]) }];
    }),
    failures: (isList(failures) ? failures : []).filter(isRecord).flatMap((item) => {
      const source = text(item["source"]);
      return source === undefined ? [] : [{ source, reason: text(item["reason"]) ?? "" }];
    }),
  };
}

/** Where the pictures are that a job made. They stay on the machine that made them. */
export function ImageList({ images }: { images: Images }) {
  return (
    <div className="space-y-5">
      <Facts
        items={[
          ["Folder", <FilePath path={images.folder} />],
          ...(images.contactSheet === undefined
            ? []
            : [["Contact sheet", <FilePath path={images.contactSheet} />] as const]),
          ["Made", `${images.thumbnails.length} thumbnails`],
        ]}
      />
      <div className="overflow-hidden rounded-lg border border-line">
        <DataTable
          caption="Thumbnails"
          rows={images.thumbnails}
          rowKey={(image) => image.thumbnail}
          columns={[
            { title: "Thumbnail", cell: ({ thumbnail }) => <FilePath path={thumbnail} /> },
            { title: "Pixels", numeric: true, cell: ({ size }) => size },
            { title: "Size", numeric: true, cell: ({ bytes }) => (bytes === undefined ? "–" : formatBytes(bytes)) },
            { title: "Made from", cell: ({ source }) => <FilePath path={source} /> },
          ]}
        />
      </div>
      {images.failures.length > 0 && (
        <div className="overflow-hidden rounded-lg border border-bad/40">
          <DataTable
            caption="Pictures that could not be read"
            rows={images.failures}
            rowKey={(failure) => failure.source}
            columns={[
              { title: "Could not be read", cell: ({ source }) => <FilePath path={source} /> },
              { title: "Why", cell: ({ reason }) => reason },
            ]}
          />
        </div>
      )}
    </div>
  );
}

function FilePath({ path }: { path: string }) {
  return (
    <span className="inline-flex items-center gap-1">
      <code className="font-mono text-xs [overflow-wrap:anywhere]">{path}</code>
      <CopyButton value={path} what="the path" />
    </span>
  );
}
