import { useQuery } from "@tanstack/react-query";
import clsx from "clsx";

import { Loaded } from "~/features/app/loaded";
import { nodePaths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { JsonView } from "~/ui/json-view";
import { Page, Section } from "~/ui/page";
import { TickedText } from "~/ui/ticked-text";

import { type ApiDocument, membersOf, type Operation, referenceName, typeWords } from "./document";
import { MemberList } from "./member-list";
import { apiDocsQueries } from "./queries";

/** The node's HTTP surface, readable; made from the same document that clients are generated from. */
export function ApiDocsPage() {
  const query = useQuery(apiDocsQueries.document);
  return (
    <Page
      title="API reference"
      detail="Everything this page shows a script can do too."
      actions={
        <a href={nodePaths.openApi} className={buttonClass("plain")}>
          openapi.json
        </a>
      }
    >
      <Loaded query={query} what="the OpenAPI document">
        {(document) => <Reference document={document} />}
      </Loaded>
    </Page>
  );
}

function Reference({ document }: { document: ApiDocument }) {
  return (
    <div className="space-y-4">
      <p className="text-ink-soft">
        {document.title} {document.version}
        {document.description !== undefined && (
          <>
            {" · "}
            <TickedText>{document.description}</TickedText>
          </>
        )}
      </p>
      <nav aria-label="Groups" className="flex flex-wrap gap-1.5">
        {[...document.groups.map(({ name }) => name), "schemas"].map((name) => (
          <a
            key={name}
            href={`#group-${name}`}
            className="rounded-full border border-line bg-panel px-3 py-1 text-[13px] hover:border-line-strong"
          >
            {name}
          </a>
        ))}
      </nav>
      {document.groups.map((group) => (
        <div key={group.name} id={`group-${group.name}`} className="scroll-mt-20">
          <Section title={group.name} flush>
            {group.description !== undefined && (
              <p className="border-b border-line px-4 py-3 text-ink-soft">
                <TickedText>{group.description}</TickedText>
              </p>
            )}
            {group.operations.map((operation) => (
              <OperationEntry key={operation.id} operation={operation} schemas={document.schemas} />
            ))}
          </Section>
        </div>
      ))}
      <div id="group-schemas" className="scroll-mt-20">
        <Section title="schemas" flush>
          {Object.entries(document.schemas).map(([name, schema]) => (
            <details key={name} id={`schema-${name}`} className="scroll-mt-20 border-b border-line last:border-0">
              <summary className="px-4 py-2.5 font-mono text-[13px] hover:bg-hover/60">{name}</summary>
              <div className="border-t border-line bg-sunken p-4">
                <SchemaBody schema={schema} schemas={document.schemas} />
              </div>
            </details>
          ))}
        </Section>
      </div>
    </div>
  );
}

function OperationEntry({ operation, schemas }: { operation: Operation; schemas: ApiDocument["schemas"] }) {
  return (
    <details className="border-b border-line last:border-0">
      <summary className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-4 py-2.5 hover:bg-hover/60">
        <span className={clsx("w-14 shrink-0 font-mono text-xs font-semibold uppercase", methodColor(operation.method))}>
          {operation.method}
        </span>
        <span className="font-mono text-[13px] [overflow-wrap:anywhere]">{operation.path}</span>
        <span className="text-[13px] text-ink-faint">
          <TickedText>{operation.summary}</TickedText>
        </span>
      </summary>
      <div className="space-y-5 border-t border-line bg-sunken p-4">
        {operation.description !== undefined && operation.description !== operation.summary && (
          <p className="whitespace-pre-line text-ink-soft">
            <TickedText>{operation.description}</TickedText>
          </p>
        )}
        {operation.parameters.length > 0 && (
          <Part title="Parameters">
            <MemberList
              members={operation.parameters.map(({ place, type, ...parameter }) => ({ ...parameter, type: `${type}, in ${place}` }))}
            />
          </Part>
        )}
        {operation.body !== undefined && (
          <Part title={`Body: ${typeWords(operation.body)}`}>
            <SchemaBody schema={operation.body} schemas={schemas} />
          </Part>
        )}
        <Part title="Answers">
          <ul className="space-y-2">
            {operation.responses.map((response) => (
              <li key={response.status} className="flex flex-wrap gap-x-3 text-[13px]">
                <span className="numeric w-14 font-mono font-semibold">{response.status}</span>
                <span className="min-w-0 flex-1 basis-48 text-ink-soft">
                  <TickedText>{response.description}</TickedText>
                  {response.schema !== undefined && <SchemaLink schema={response.schema} />}
                </span>
              </li>
            ))}
          </ul>
        </Part>
      </div>
    </details>
  );
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div className="space-y-2">
      <h3 className="text-xs font-semibold text-ink-faint">{title}</h3>
      {children}
    </div>
  );
}

/** Leads to a schema of the document, and opens it. */
function SchemaLink({ schema }: { schema: unknown }) {
  const name = referenceName(schema);
  if (name === undefined) return <> · {typeWords(schema)}</>;
  return (
    <>
      {" · "}
      <a
        href={`#schema-${name}`}
        onClick={() => document.getElementById(`schema-${name}`)?.setAttribute("open", "")}
        className="font-mono text-accent underline-offset-2 hover:underline"
      >
        {name}
      </a>
    </>
  );
}

function SchemaBody({ schema, schemas }: { schema: unknown; schemas: ApiDocument["schemas"] }) {
  const members = membersOf(schema, schemas);
  return members.length > 0 ? <MemberList members={members} /> : <JsonView value={schema} what="the schema" />;
}

function methodColor(method: string): string {
  switch (method) {
    case "get":
      return "text-run";
    case "post":
      return "text-good";
    case "delete":
      return "text-bad";
    default:
      return "text-warn";
  }
}
