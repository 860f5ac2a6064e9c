//! Putting a node together, and taking it apart again.
//!
//! The order of a start is chosen for speed: the port is taken first because it is the likeliest to fail, and then the
//! vault is unlocked, the stores open and the modules are looked for side by side. All of it is there once the node
//! answers, so that nobody who is quick is told that there is no such kind.

mod notices;
mod stores;
mod wake;

use std::{
    io::IsTerminal,
    path::Path,
    sync::{Arc, RwLock},
    time::Duration,
};

use flowork_api_types::{engine::Engine, node::Notice};
use flowork_audit::{Actor, Audit, Entry};
use flowork_control::{ControlStore, StoreError};
use flowork_engine::{Clock, Engines, KindRegistry, ShardScrub, clock::wall_now};
use flowork_gateway::{BindError, BoundGateway, GatewayHandle, GatewayState, NodeFacts};
use flowork_schedules::Schedules;
use flowork_sync::Sessions;
use flowork_tokens::TokenKeys;
use flowork_vault::{BackEnd, Vault};
use tokio::time::timeout;

use crate::{
    access::TokenSigner,
    audit::{self, AuditKeys},
    config::{Config, Place},
    data_dir::DataDir,
    instance_lock::InstanceLock,
    kinds::{self, Modules},
    logs::{self, LogGuard},
    open_files, owner_key, port, reset,
    signing_keys::VaultKeys,
    start_error::StartError,
};
use stores::{open_stores, open_sync};
use wake::Woken;

/// How long requests in flight may take once the node stops; event streams say goodbye at once.
const GATEWAY_STOP: Duration = Duration::from_secs(3);

/// Starts nodes.
pub struct Node;

/// A node that runs.
pub struct NodeHandle {
    data_dir: DataDir,
    url: String,
    back_end: BackEnd,
    notices: Arc<RwLock<Vec<Notice>>>,
    control: ControlStore,
    audit: Audit,
    engines: Engines,
    schedules: Schedules,
    sync: Sessions,
    tokens: TokenKeys,
    clock: Clock,
    gateway: GatewayHandle,
    woken: Woken,
    /// Listens for the end of a sleep.
    listening: tokio::task::JoinHandle<()>,
    modules: Option<Modules>,
    // Last, in this order: whoever waits for the lock finds the files closed, and the log tells all of it.
    _lock: InstanceLock,
    _logs: LogGuard,
}

/// How a node stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownOutcome {
    /// Jobs that had not finished by the deadline. They are back in their queues.
    pub released: u32,
}

impl Node {
    /// Starts a node: data directory, lock, vault, stores, gateway. Returns once it serves.
    ///
    /// # Errors
    /// Something it needs cannot be had; nothing of it runs any more.
    pub async fn start(config: Config) -> Result<NodeHandle, StartError> {
        Self::start_by(Clock::System, config).await
    }

    /// Tests have a clock that they move.
    async fn start_by(clock: Clock, config: Config) -> Result<NodeHandle, StartError> {
        let started_at = clock.now();
        let data_dir = DataDir::prepare(&config.data_dir)?;
        let mut lock = InstanceLock::take(data_dir.path(), started_at)?;
        let logs = logs::start(&data_dir.logs(), &config.log, is_quiet(&config))?;
        // Before the shards open: from then on workers may run again what these still run.
        flowork_kinds::end_orphans(&data_dir.module_pids());
        open_files::make_room();
        let gateway = bind(&config).await?;

        let registry = KindRegistry::default();
        let modules = tokio::spawn(start_modules(config.clone(), data_dir.clone(), registry.clone()));
        let (secrets, stores) =
            tokio::join!(open_secrets(&config), open_stores(&config, &data_dir, &clock, registry.clone()));
        let (secrets, (control, engines)) = match (secrets, stores) {
            (Ok(secrets), Ok(stores)) => (secrets, stores),
            (Err(error), Ok((control, engines))) => {
                close(engines, control).await;
                return Err(error);
            }
            (_, Err(error)) => return Err(error),
        };
        let registered = kinds::register(&config, &data_dir, &secrets.provider_keys, &registry);
        let mut notices = config.notices.clone();
        match registered {
            Ok(()) => {}
            // Nothing is run, and somebody wants to see why.
            Err(error) if config.recovery => notices.push(kinds::not_registered(&error)),
            Err(error) => {
                close(engines, control).await;
                return Err(error);
            }
        }

        let (modules, found) = modules.await.map_err(StartError::Panicked)?;
        notices.extend(secrets.notices);
        notices.extend(kinds::kind_notices(&config, &secrets.provider_keys));
        notices.extend(data_dir.open_to_others().map(|directory| open_to_others(&directory)));
        notices.extend(found);
        let notices = Arc::new(RwLock::new(notices));
        if let Err(error) = registry.register(Arc::new(ShardScrub::new(&engines, Arc::clone(&notices)))) {
            close(engines, control).await;
            return Err(StartError::Kinds(error.to_string()));
        }
        let node = NodeFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data_dir: data_dir.path().to_owned(),
            vault: secrets.back_end.as_str().to_owned(),
            started_at,
            notices: Arc::clone(&notices),
        };
        let url = gateway.base_url();
        let tunnel = gateway.tunnel_addr().map(|address| address.to_string());
        if let Err(error) = lock.set_url(&url) {
            close(engines, control).await;
            return Err(error.into());
        }
        if let Err(error) = owner_key::enroll(&control, secrets.audit.owner.address(), started_at).await {
            close(engines, control).await;
            return Err(StartError::Enroll(error));
        }
        let replaced = match reset::replace_keys(&control, &secrets.tokens, started_at).await {
            Ok(replaced) => replaced,
            Err(error) => {
                close(engines, control).await;
                return Err(error);
            }
        };
        let audit = match audit::start(&config, &data_dir, &clock, secrets.audit, &notices, engines.events()).await {
            Ok(audit) => audit,
            Err(error) => {
                close(engines, control).await;
                return Err(StartError::Audit(error));
            }
        };
        let sync = match open_sync(&config, &data_dir, &clock, &engines).await {
            Ok(sync) => sync,
            Err(error) => {
                close(engines, control).await;
                audit.close().await;
                return Err(error);
            }
        };
        audit::catch_up(&audit, &control, secrets.back_end).await;
        if replaced {
            reset::record_replaced(&audit).await;
        }
        // Only now: what was missed is made up for at once, and modules must be there for that.
        let start = if config.recovery { Schedules::without_timer } else { Schedules::start };
        let schedules = start(control.clone(), engines.clone(), clock.clone());
        let gateway = gateway.serve(GatewayState {
            engines: engines.clone(),
            schedules: schedules.clone(),
            sync: sync.clone(),
            control: control.clone(),
            audit: audit.clone(),
            tokens: secrets.tokens.clone(),
            clock: clock.clone(),
            node,
        });
        let took_ms = clock.now().as_millis() - started_at.as_millis();
        tracing::info!(url, tunnel, took_ms, data_dir = %data_dir.path().display(), "the node serves");
        let back_end = secrets.back_end;
        let woken = Woken {
            engines: engines.clone(),
            schedules: schedules.clone(),
            sync: sync.clone(),
            audit: audit.clone(),
            gateway: gateway.waker(),
        };
        let listening = woken.listen();
        Ok(NodeHandle {
            data_dir,
            url,
            back_end,
            notices,
            control,
            audit,
            engines,
            schedules,
            sync,
            tokens: secrets.tokens,
            clock,
            gateway,
            woken,
            listening,
            modules,
            _lock: lock,
            _logs: logs,
        })
    }
}

impl NodeHandle {
    /// Where it serves, such as `http://127.0.0.1:7717`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Where its secrets are.
    pub fn vault(&self) -> BackEnd {
        self.back_end
    }

    /// Its engines.
    pub fn engines(&self) -> Vec<Engine> {
        self.engines.list()
    }

    /// Local jobs that run now.
    pub fn running(&self) -> u32 {
        self.engines.running()
    }

    /// Signs tokens of its owner, for programs that have this node in their process: the vault is not asked again.
    pub fn signer(&self) -> TokenSigner {
        TokenSigner(self.tokens.clone())
    }

    /// Makes a link that signs one browser in as the owner, once.
    ///
    /// # Errors
    /// The control store failed.
    pub async fn link(&self) -> Result<String, StoreError> {
        let pairing = self.control.create_pairing_code(self.clock.now()).await?;
        audit::record(&self.audit, Entry::new(Actor::machine(), "session.link")).await;
        Ok(flowork_gateway::pairing_url(&self.url, pairing.code.expose()))
    }

    /// Whether the owner ever signed in, as far as that is remembered.
    ///
    /// # Errors
    /// The control store failed.
    pub async fn owner_has_signed_in(&self) -> Result<bool, StoreError> {
        self.control.owner_has_signed_in().await
    }

    /// Takes no new jobs, because the node is about to stop, and waits for those that run, at most until the deadline.
    /// Says how many still run then. Unlike a drain that a person asks for, it ends with the process, or with
    /// [`undrain`](Self::undrain).
    pub async fn drain(&self, deadline: Duration) -> u32 {
        tracing::info!(running = self.engines.running(), deadline_ms = deadline.as_millis() as u64, "draining");
        self.engines.drain_to_end();
        // Whether it was in time is what `running` tells.
        let _ = timeout(deadline, self.engines.drained()).await;
        self.engines.running()
    }

    /// Takes a [`drain`](Self::drain) back, because the node goes on after all. One that a person asked for stays.
    pub fn undrain(&self) {
        tracing::info!("the node goes on");
        self.engines.undrain();
    }

    /// Looks at everything that depends on time, now, because the machine has slept or its clock was set: leases, jobs and
    /// schedules that came due, sync sessions, tokens of streams, sockets. Where the system tells of sleep, the node
    /// listens for that itself.
    pub async fn resumed(&self) {
        self.woken.look().await;
    }

    /// Stops at once: jobs that run are cancelled and go back to their queues.
    pub async fn stop(self) {
        self.listening.abort();
        // Only that it has ended matters.
        let _ = self.listening.await;
        drop(self.woken);
        let cut = self.gateway.shutdown(GATEWAY_STOP).await.cut;
        if cut > 0 {
            tracing::info!(cut, "connections were still busy and were cut");
        }
        self.schedules.shutdown().await;
        self.sync.shutdown().await;
        if let Some(modules) = self.modules {
            modules.stop().await;
        }
        close(self.engines, self.control).await;
        audit::record(&self.audit, Entry::new(Actor::node(), "node.stop")).await;
        self.audit.close().await;
        tracing::info!("the node has stopped");
    }

    /// [`drain`](Self::drain), then [`stop`](Self::stop).
    pub async fn shutdown(self, deadline: Duration) -> ShutdownOutcome {
        let released = self.drain(deadline).await;
        self.stop().await;
        ShutdownOutcome { released }
    }
}

async fn close(engines: Engines, control: ControlStore) {
    engines.shutdown().await;
    control.close().await;
}

fn open_to_others(directory: &Path) -> Notice {
    let directory = directory.display();
    Notice {
        code: "DATA_DIR_OPEN".to_owned(),
        message: format!("Other accounts of this machine may write in {directory}, and so run programs as this one."),
        hint: Some(format!("run: chmod go-w {directory}")),
    }
}

/// On a terminal where nobody asked for logs, only warnings: a person reads the link there.
fn is_quiet(config: &Config) -> bool {
    let untouched = config.shown.iter().any(|setting| setting.key == "log" && setting.place == Place::Default);
    untouched && std::io::stderr().is_terminal()
}

async fn bind(config: &Config) -> Result<BoundGateway, StartError> {
    let error = match flowork_gateway::bind(config.gateway.clone()).await {
        Ok(bound) => return Ok(bound),
        Err(error) => error,
    };
    let address = error.address().unwrap_or(config.gateway.listen);
    if !matches!(error, BindError::AddressInUse { .. }) {
        return Err(StartError::Listen { address, source: error });
    }
    let holder = tokio::task::spawn_blocking(move || port::holder(address)).await.map_err(StartError::Panicked)?;
    let place = config.shown.iter().find(|setting| setting.key == "listen").map(|setting| setting.place.clone());
    let listen = place.filter(|_| address == config.gateway.listen);
    Err(StartError::PortTaken { address, holder, listen })
}

/// What a start takes from the vault.
struct Secrets {
    tokens: TokenKeys,
    audit: AuditKeys,
    provider_keys: kinds::ProviderKeys,
    back_end: BackEnd,
    notices: Vec<Notice>,
}

async fn open_secrets(config: &Config) -> Result<Secrets, StartError> {
    let config = config.clone();
    let open = move || {
        let vault = Vault::open_or_create(config.vault_options()).map_err(StartError::Vault)?;
        let vault = Arc::new(vault);
        let tokens = TokenKeys::open(VaultKeys(Arc::clone(&vault)), wall_now()).map_err(StartError::Key)?;
        let audit = AuditKeys::get_or_make(&vault).map_err(StartError::AuditKeys)?;
        let provider_keys = kinds::read_provider_keys(&vault, &config).map_err(StartError::Secret)?;
        let notices = vault.notices().into_iter().map(|notice| Notice {
            code: notice.code.to_owned(),
            message: notice.message,
            hint: Some(notice.hint),
        });
        Ok(Secrets { tokens, audit, provider_keys, back_end: vault.back_end(), notices: notices.collect() })
    };
    tokio::task::spawn_blocking(open).await.map_err(StartError::Panicked)?
}

/// Looks for modules. What is wrong with them never stops the node.
async fn start_modules(config: Config, data_dir: DataDir, registry: KindRegistry) -> (Option<Modules>, Vec<Notice>) {
    if config.recovery {
        return (None, Vec::new());
    }
    let started = tokio::task::spawn_blocking(move || Modules::start(&config, &data_dir, registry)).await;
    let (modules, found) = started.unwrap_or_else(|error| {
        tracing::error!(%error, "looking for modules crashed");
        (None, Vec::new())
    });
    for notice in &found {
        tracing::warn!(code = notice.code, "{}", notice.message);
    }
    (modules, found)
}
