import { useMutation } from "@tanstack/react-query";
import { Wallet as WalletIcon } from "lucide-react";
import { useState, useSyncExternalStore } from "react";

import { session } from "~/api/client";
import { ApiError } from "~/api/error";
import type { Signer } from "~/api/session";
import { complaint } from "~/features/app/complaint";
import { chooseAccount, discoverWallets, type Wallet, WalletError, type WalletFailure } from "~/identity/wallets";
import { Address } from "~/ui/address";
import { Button } from "~/ui/button";
import { Callout, type Complaint, ErrorCallout } from "~/ui/callout";

import { Way } from "./way";

const FAILURES: Record<WalletFailure, Omit<Complaint, "reference">> = {
  refused: { title: "You refused in the wallet", hint: "Nothing was signed. Start again when you want to." },
  busy: { title: "The wallet is waiting for an answer", hint: "Open it: it asks there for something already." },
  no_account: { title: "The wallet gives this page no account", hint: "Unlock it, and allow this page to see an account." },
  failed: { title: "The wallet could not do it", hint: "Open the wallet to see what it says, and start again." },
};

/** The way of those whose account is on the list of members. */
export function WalletWay() {
  const [found] = useState(() => discoverWallets(window));
  const wallets = useSyncExternalStore(found.subscribe, found.list);
  return (
    <Way title="With a wallet" icon={WalletIcon}>
      {wallets.length === 0 ? (
        <p>
          No wallet was found in this browser. One that is installed as an extension, or a browser inside a wallet's app,
          can sign in if its account is a member.
        </p>
      ) : (
        <Wallets wallets={wallets} />
      )}
    </Way>
  );
}

type Step = "choosing" | "signing";

function Wallets({ wallets }: { wallets: readonly Wallet[] }) {
  const [step, setStep] = useState<Step>("choosing");
  const [signer, setSigner] = useState<Signer>();
  const enter = useMutation({
    mutationFn: async ({ wallet, another }: { wallet: Wallet; another: boolean }) => {
      setStep("choosing");
      setSigner(undefined);
      const chosen = await chooseAccount(wallet, { another });
      setSigner(chosen);
      setStep("signing");
      await session.signIn(chosen);
    },
  });
  const tried = enter.variables?.wallet;
  return (
    <>
      <p>The wallet is asked for one signature of a text you can read. It costs nothing and moves nothing.</p>
      <div className="flex flex-wrap gap-2">
        {wallets.map((wallet) => (
          <Button
            key={wallet.id}
            busy={enter.isPending}
            aria-label={`Sign in with ${wallet.name}`}
            onClick={() => enter.mutate({ wallet, another: false })}
          >
            {wallet.icon === undefined ? (
              <WalletIcon aria-hidden className="size-4" />
            ) : (
              <img src={wallet.icon} alt="" className="size-4 rounded" />
            )}
            {wallet.name}
          </Button>
        ))}
      </div>
      <p role="status" aria-label="Wallet" className="empty:hidden">
        {enter.isPending &&
          (step === "choosing" ? "Choose an account in the wallet…" : "Read the message in the wallet, and sign it there…")}
      </p>
      {enter.isError && tried !== undefined && (
        <Failure error={enter.error} signer={signer} onAnother={() => enter.mutate({ wallet: tried, another: true })} />
      )}
    </>
  );
}

interface FailureProps {
  error: Error;
  signer: Signer | undefined;
  onAnother: () => void;
}

function Failure({ error, signer, onAnother }: FailureProps) {
  if (error instanceof WalletError) {
    const said = error.failure === "failed" ? error.message : undefined;
    return (
      <ErrorCallout problem={{ ...FAILURES[error.failure], reference: undefined }}>
        {said !== undefined && <p>The wallet says: {said}</p>}
      </ErrorCallout>
    );
  }
  if (signer !== undefined && isNoMember(error)) {
    return (
      <Callout tone="bad" announce title="The node does not let this account in">
        <p>
          The wallet signed as <Address address={signer.address} copy />, which is no member of this node, or one that is
          kept out. Sign with another account, or send this address to the owner, who can add it under Members.
        </p>
        <Button onClick={onAnother}>Use another account</Button>
      </Callout>
    );
  }
  return <ErrorCallout problem={complaint(error)} />;
}

/** The node tells nobody which of the two it is: an account that it does not know, or one that it keeps out. */
function isNoMember(error: Error): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403);
}
