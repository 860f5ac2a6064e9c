//! Clients that hold a connection without using it: heads and bodies byte by byte, silence, answers that nobody reads. At
//! the bounds that a node has by itself, each is gone after ten seconds, and who behaves is served meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use super::gateway::{Gateway, HANG, read};

/// How many sockets the attack has; `FLOWORK_TEST_SLOW_SOCKETS=5000` makes it a large one.
const SLOW_SOCKETS: usize = 1_000;
/// Files of the test itself and of the gateway's stores.
const OTHER_FILES: usize = 300;
/// What every one of them is given, and what a busy machine may need to notice. Together they are below each bound that
/// would be next, such as 30 s.
const LIFE_MAX: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(12);
/// Requests on one connection, one behind the other; their answers are more than a system keeps unread.
const UNREAD_ANSWERS: usize = 40;

/// A way of holding a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A header's value, a byte each half second.
    SlowHead,
    /// Not one byte.
    Silent,
    /// A whole head, and a body of which a byte comes each nine seconds.
    SlowBody,
    /// Whole requests, whose answers are never read, and a byte of the next one each half second.
    NeverReads,
}

impl Kind {
    const ALL: [Self; 4] = [Self::SlowHead, Self::Silent, Self::SlowBody, Self::NeverReads];

    /// What it sends at first, and how long it takes until the next byte.
    fn words(self, host: &str) -> (String, Duration) {
        match self {
            Self::SlowHead => (format!("GET /health HTTP/1.1\r\nHost: {host}\r\nX-Slow: "), Duration::from_millis(500)),
            Self::Silent => (String::new(), Duration::MAX),
            Self::SlowBody => {
                let head = format!(
                    "POST /v1/auth/pair HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
                     Content-Length: 100\r\n\r\n{{"
                );
                (head, Duration::from_secs(9))
            }
            Self::NeverReads => {
                let request = format!("GET /openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n");
                (request.repeat(UNREAD_ANSWERS), Duration::from_millis(500))
            }
        }
    }

    /// Holds a connection for as long as the gateway lets it.
    async fn hold(self, mut stream: TcpStream, host: String) {
        let (first, pause) = self.words(&host);
        let (mut piece, mut heard) = (first.as_bytes(), [0; 4 << 10]);
        while stream.write_all(piece).await.is_ok() {
            piece = b"a";
            let hears = async {
                match self {
                    // Who does not read learns of the end by writing.
                    Self::NeverReads => std::future::pending().await,
                    _ => stream.read(&mut heard).await,
                }
            };
            match timeout(pause, hears).await {
                Err(_) => {}
                // A last word, as that of a timeout, does not count as the end.
                Ok(Ok(bytes)) if bytes > 0 => piece = b"",
                Ok(_) => return,
            }
        }
    }
}

/// Sockets of these kinds in turn: how many are open, and what each is and how long it lived.
struct Attack {
    open: Arc<AtomicUsize>,
    sockets: JoinSet<(Kind, Duration)>,
}

impl Attack {
    async fn begin(gateway: &Gateway, kinds: &[Kind], sockets: usize) -> Self {
        let address = gateway.handle.as_ref().unwrap().local_addr();
        let mut attack = Self { open: Arc::new(AtomicUsize::new(sockets)), sockets: JoinSet::new() };
        for kind in kinds.iter().copied().cycle().take(sockets) {
            let stream = TcpStream::connect(address).await.unwrap();
            let (open, host, since) = (Arc::clone(&attack.open), address.to_string(), Instant::now());
            attack.sockets.spawn(async move {
                kind.hold(stream, host).await;
                open.fetch_sub(1, Ordering::SeqCst);
                (kind, since.elapsed())
            });
        }
        attack
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// As many as are wanted, if the process may open that many files.
fn slow_sockets() -> usize {
    let wanted = std::env::var("FLOWORK_TEST_SLOW_SOCKETS").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(SLOW_SOCKETS).min((open_files_max() - OTHER_FILES) / 2)
}

/// Raises the limit of open files as far as it goes.
#[cfg(unix)]
fn open_files_max() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where that is not allowed, fewer sockets have to do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| files as usize)
}

#[cfg(not(unix))]
fn open_files_max() -> usize {
    usize::MAX
}

#[tokio::test]
async fn who_holds_a_connection_without_using_it_is_cut_after_ten_seconds_and_others_are_served() {
    let gateway = Gateway::start().await;
    // Made once, so that the first to ask does not wait for it.
    read(gateway.get("/openapi.json")).await;
    let mut attack = Attack::begin(&gateway, &Kind::ALL, slow_sockets()).await;
    let (mut served, begun) = (0, Instant::now());
    while attack.open() > 0 && begun.elapsed() < LIFE_MAX + SLACK + HANG {
        let fresh = reqwest::Client::builder().no_proxy().timeout(HANG).build().unwrap();
        let answer = fresh.get(format!("{}/health", gateway.url)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(read(gateway.get("/v1/auth/me")).await.status, StatusCode::OK, "who is connected stays so");
        served += 1;
    }
    assert!(served > 0);
    assert_eq!(attack.open(), 0, "sockets that nothing has cut");
    let mut longest = Kind::ALL.map(|kind| (kind, Duration::ZERO));
    while let Some(ended) = attack.sockets.join_next().await {
        let (kind, life) = ended.unwrap();
        let (_, most) = longest.iter_mut().find(|(of, _)| *of == kind).unwrap();
        *most = life.max(*most);
    }
    for (kind, life) in longest {
        assert!(life > Duration::ZERO && life <= LIFE_MAX + SLACK, "{kind:?} lived for {life:?}");
    }
}

/// It is the bounds that cut them, not something that these sockets do.
#[tokio::test]
async fn the_same_sockets_stay_where_there_is_all_the_time() {
    const FOREVER: Duration = Duration::from_hours(1);
    let gateway = Gateway::start_with(|options| {
        let limits = &mut options.limits;
        limits.header_timeout = FOREVER;
        limits.body_timeout = FOREVER;
        limits.body_idle_timeout = FOREVER;
        limits.answer_idle_timeout = FOREVER;
        limits.idle_timeout = FOREVER;
        limits.connections_max = 10_000;
    })
    .await;
    let attack = Attack::begin(&gateway, &Kind::ALL, 100).await;
    let waited = timeout(Duration::from_secs(2), async {
        while attack.open() > 0 {
            read(gateway.get("/health")).await;
        }
    });
    assert!(waited.await.is_err(), "nothing but the bounds cuts them");
    assert_eq!(attack.open(), 100);
}

#[tokio::test]
async fn only_the_bound_on_unread_answers_cuts_who_does_not_read() {
    const FOREVER: Duration = Duration::from_hours(1);
    let gateway = Gateway::start_with(|options| {
        options.limits.header_timeout = FOREVER;
        options.limits.idle_timeout = FOREVER;
        options.limits.answer_idle_timeout = Duration::from_millis(300);
    })
    .await;
    let mut attack = Attack::begin(&gateway, &[Kind::NeverReads], 5).await;
    let ended = timeout(HANG, async { while attack.sockets.join_next().await.is_some() {} });
    assert!(ended.await.is_ok(), "{} are still open", attack.open());
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_say_is_not_taken_for_one_that_nobody_reads() {
    let gateway = Gateway::start_with(|options| {
        options.limits.answer_idle_timeout = Duration::from_millis(20);
        options.limits.keep_alive_interval = Duration::from_millis(300);
    })
    .await;
    let mut events = gateway.get("/v1/events").send().await.unwrap();
    assert_eq!(events.status(), StatusCode::OK);
    for _ in 0..4 {
        let piece = events.chunk().await.unwrap();
        assert!(piece.is_some(), "the stream goes on after {:?} without a word", Duration::from_millis(300));
    }
}
