import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import type { Member } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Loaded } from "~/features/app/loaded";
import { paths } from "~/paths";
import { Button } from "~/ui/button";
import { Callout, ErrorCallout } from "~/ui/callout";
import { Choice } from "~/ui/choice";
import { Confirm, Modal } from "~/ui/dialog";
import { Facts } from "~/ui/facts";
import { Page, Section } from "~/ui/page";
import { Pill } from "~/ui/pill";
import { At } from "~/ui/time";

import { useDeleteMember, useUpdateMember } from "./actions";
import { Invitation } from "./invitation";
import { KeysSection } from "./keys";
import { memberQueries } from "./queries";
import { RenameForm } from "./rename-form";
import { givenRole, ROLE_CHOICES, ROLE_WORDS } from "./roles";

const route = getRouteApi(paths.member);

/** The page of the member whom the address names. */
export function MemberRoutePage() {
  const { subject } = route.useParams();
  return <MemberPage key={subject} subject={subject} />;
}

/** One member: what they may do, and what they sign in with. */
export function MemberPage({ subject }: { subject: string }) {
  const query = useQuery(memberQueries.one(subject));
  if (query.data !== undefined) return <Shown member={query.data} />;
  return (
    <Page title="Member">
      <Loaded query={query} what="the member">
        {() => null}
      </Loaded>
    </Page>
  );
}

type Asking = "rename" | "role" | "disable" | "delete" | "invite";

function Shown({ member }: { member: Member }) {
  const [asking, setAsking] = useState<Asking>();
  const enable = useUpdateMember(member.subject);
  const may = (action: string) => member.allowed_actions.includes(action);
  const close = () => setAsking(undefined);
  return (
    <Page
      title={member.name}
      actions={
        <>
          {may("link") && <Button onClick={() => setAsking("invite")}>Make link</Button>}
          {may("update") && <Button onClick={() => setAsking("rename")}>Rename</Button>}
          {may("enable") && (
            <Button busy={enable.isPending} onClick={() => enable.mutate({ disabled: false })}>
              Enable
            </Button>
          )}
          {may("disable") && (
            <Button tone="danger" onClick={() => setAsking("disable")}>
              Disable
            </Button>
          )}
          {may("delete") && (
            <Button tone="danger" onClick={() => setAsking("delete")}>
              Remove member
            </Button>
          )}
        </>
      }
    >
      <div className="space-y-4">
        {enable.isError && <ErrorCallout problem={complaint(enable.error)} />}
        {member.disabled_at && (
          <Callout tone="warn" title="This member is kept out">
            <p>
              Since <At at={member.disabled_at} />. None of their keys signs in, and jobs of theirs that wait are not run.
            </p>
          </Callout>
        )}
        <Section
          title="Member"
          aside={
            may("update") &&
            member.role !== "owner" && (
              <Button onClick={() => setAsking("role")}>
                Change role
              </Button>
            )
          }
        >
          <Facts
            items={[
              ["Role", <Pill tone={member.role === "owner" ? "good" : "plain"}>{ROLE_WORDS[member.role].title}</Pill>],
              ["May do", ROLE_WORDS[member.role].detail],
              ["Open sessions", member.sessions.toLocaleString()],
              ["Added", <At at={member.created_at} />],
              ["Id", <code className="font-mono text-xs text-ink-soft">{member.subject}</code>],
            ]}
          />
        </Section>
        <KeysSection member={member} />
      </div>
      <Modal open={asking === "rename"} onOpenChange={close} title="Rename the member">
        <RenameForm member={member} onDone={close} />
      </Modal>
      <AskRole key={member.role} open={asking === "role"} member={member} onClose={close} />
      <AskDisable open={asking === "disable"} member={member} onClose={close} />
      <AskDelete open={asking === "delete"} member={member} onClose={close} />
      {asking === "invite" && <Invitation member={member} onClose={close} />}
    </Page>
  );
}

interface AskProps {
  open: boolean;
  member: Member;
  onClose: () => void;
}

function AskRole({ open, member, onClose }: AskProps) {
  const update = useUpdateMember(member.subject);
  const [role, setRole] = useState(() => givenRole(member.role));
  return (
    <Confirm
      open={open}
      onOpenChange={onClose}
      title={`Change the role of ${member.name}`}
      detail="It is in force with their next request."
      confirm="Change role"
      busy={update.isPending}
      problem={update.isError ? complaint(update.error) : undefined}
      onConfirm={() => update.mutate({ role }, { onSuccess: onClose })}
    >
      <Choice label="Role" value={role} onChange={setRole} options={ROLE_CHOICES} />
    </Confirm>
  );
}

function AskDisable({ open, member, onClose }: AskProps) {
  const update = useUpdateMember(member.subject);
  return (
    <Confirm
      open={open}
      onOpenChange={onClose}
      title={`Keep ${member.name} out?`}
      detail="Their sessions end at once, none of their keys signs in, and jobs of theirs that wait are not run. What runs now goes on; cancel it if it should not. You can let them in again."
      confirm="Disable member"
      tone="danger"
      busy={update.isPending}
      problem={update.isError ? complaint(update.error) : undefined}
      onConfirm={() => update.mutate({ disabled: true }, { onSuccess: onClose })}
    />
  );
}

function AskDelete({ open, member, onClose }: AskProps) {
  const navigate = useNavigate();
  const remove = useDeleteMember(member.subject);
  return (
    <Confirm
      open={open}
      onOpenChange={onClose}
      title={`Remove ${member.name}?`}
      detail="Their sessions end and their keys are forgotten. Jobs that they enqueued stay, under their id."
      confirm="Remove member"
      tone="danger"
      busy={remove.isPending}
      problem={remove.isError ? complaint(remove.error) : undefined}
      onConfirm={() => remove.mutate(undefined, { onSuccess: () => void navigate({ to: paths.members }) })}
    />
  );
}
