//! A row of the table of entries, as bytes: the check of the chain must not stumble over what somebody put there.

use blake3::Hash;
use flowork_api_types::{
    Timestamp,
    audit::{ActorKind, AuditActor, AuditEntry, AuditOutcome},
};
use rusqlite::{Connection, Row, params_from_iter, types::ValueRef};

use crate::{chain::AuditKey, entry::Entry};

/// Fields that are text.
pub(crate) const TEXTS: usize = 11;
/// All columns, in the order of [`RawRow::read`].
pub(crate) const COLUMNS: &str = "seq, at_ms, status, actor_kind, actor_subject, ip, method, route, action, object, \
                                  outcome, code, trace_id, detail, hash";

const KIND: usize = 0;
const SUBJECT: usize = 1;
const IP: usize = 2;
const METHOD: usize = 3;
const ROUTE: usize = 4;
const ACTION: usize = 5;
const OBJECT: usize = 6;
const OUTCOME: usize = 7;
const CODE: usize = 8;
const TRACE: usize = 9;
const DETAIL: usize = 10;

/// What of a row goes into its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowFields<'a> {
    pub(crate) seq: i64,
    pub(crate) at_ms: i64,
    pub(crate) status: Option<i64>,
    pub(crate) texts: [Option<&'a [u8]>; TEXTS],
}

/// A row as it is in the file.
#[derive(Clone, Debug)]
pub(crate) struct RawRow {
    pub(crate) seq: i64,
    pub(crate) at_ms: i64,
    pub(crate) status: Option<i64>,
    texts: [Option<Vec<u8>>; TEXTS],
    hash: Vec<u8>,
    /// A column holds another type than it should.
    odd: bool,
}

impl RawRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut odd = false;
        let mut number = |index: usize| match row.get_ref(index) {
            Ok(ValueRef::Integer(number)) => Some(number),
            Ok(ValueRef::Null) => None,
            _ => {
                odd = true;
                None
            }
        };
        let (seq, at_ms, status) = (number(0), number(1), number(2));
        let mut texts: [Option<Vec<u8>>; TEXTS] = [const { None }; TEXTS];
        for (index, text) in texts.iter_mut().enumerate() {
            match row.get_ref(index + 3)? {
                ValueRef::Text(bytes) => *text = Some(bytes.to_vec()),
                ValueRef::Null => {}
                _ => odd = true,
            }
        }
        let hash = match row.get_ref(TEXTS + 3)? {
            ValueRef::Blob(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        };
        odd |= seq.is_none() || at_ms.is_none();
        Ok(Self { seq: seq.unwrap_or_default(), at_ms: at_ms.unwrap_or_default(), status, texts, hash, odd })
    }

    pub(crate) fn stored_hash(&self) -> Option<Hash> {
        Hash::from_slice(&self.hash).ok()
    }

    /// Whether its hash is what this entry after `previous` has.
    pub(crate) fn follows(&self, key: &AuditKey, previous: &Hash) -> bool {
        !self.odd && self.stored_hash() == Some(self.hash_after(key, previous))
    }

    /// The hash that it has to have after `previous`.
    pub(crate) fn hash_after(&self, key: &AuditKey, previous: &Hash) -> Hash {
        key.entry_hash(previous, &self.fields())
    }

    fn fields(&self) -> RowFields<'_> {
        let texts = std::array::from_fn(|index| self.texts[index].as_deref());
        RowFields { seq: self.seq, at_ms: self.at_ms, status: self.status, texts }
    }

    fn text(&self, index: usize) -> Option<String> {
        self.texts[index].as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(crate) fn action(&self) -> String {
        self.text(ACTION).unwrap_or_default()
    }

    pub(crate) fn detail(&self) -> String {
        self.text(DETAIL).unwrap_or_default()
    }

    /// As people see it. What can't be understood in a row that was changed is shown as what it is nearest to.
    pub(crate) fn into_entry(self, intact: bool) -> AuditEntry {
        let kind = self.text(KIND).unwrap_or_default();
        let outcome = self.text(OUTCOME).unwrap_or_default();
        AuditEntry {
            seq: self.seq,
            at: Timestamp(self.at_ms),
            actor: AuditActor {
                kind: ActorKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap_or(ActorKind::Nobody),
                subject: self.text(SUBJECT),
            },
            ip: self.text(IP),
            method: self.text(METHOD),
            route: self.text(ROUTE),
            action: self.action(),
            object: self.text(OBJECT),
            outcome: outcome.parse().unwrap_or(AuditOutcome::Failed),
            status: self.status.and_then(|status| u16::try_from(status).ok()),
            code: self.text(CODE),
            trace_id: self.text(TRACE),
            detail: self
                .text(DETAIL)
                .map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))),
            hash: self.stored_hash().map(|hash| hash.to_hex().to_string()).unwrap_or_default(),
            intact,
        }
    }
}

/// Adds an entry and gives its hash.
pub(crate) fn insert(
    connection: &Connection,
    key: &AuditKey,
    previous: &Hash,
    seq: i64,
    entry: &Entry,
) -> rusqlite::Result<Hash> {
    let mut texts: [Option<&str>; TEXTS] = [None; TEXTS];
    texts[KIND] = Some(entry.actor.kind.as_str());
    texts[SUBJECT] = entry.actor.subject.as_deref();
    texts[IP] = entry.ip.as_deref();
    texts[METHOD] = entry.method.as_deref();
    texts[ROUTE] = entry.route.as_deref();
    texts[ACTION] = Some(&entry.action);
    texts[OBJECT] = entry.object.as_deref();
    texts[OUTCOME] = Some(entry.outcome.as_str());
    texts[CODE] = entry.code.as_deref();
    texts[TRACE] = entry.trace_id.as_deref();
    texts[DETAIL] = entry.detail.as_deref();
    let status = entry.status.map(i64::from);
    let at_ms = entry.at.as_millis();
    let fields = RowFields { seq, at_ms, status, texts: texts.map(|text| text.map(str::as_bytes)) };
    let hash = key.entry_hash(previous, &fields);

    let numbers =
        [Some(seq), Some(at_ms), status].into_iter().map(|number| number.map_or(ValueRef::Null, ValueRef::Integer));
    let texts = texts.into_iter().map(|text| text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())));
    let values = numbers.chain(texts).chain([ValueRef::Blob(hash.as_bytes())]);
    let values = values.map(rusqlite::types::ToSqlOutput::Borrowed);
    connection
        .prepare_cached(&format!(
            "INSERT INTO entries ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        ))?
        .execute(params_from_iter(values))?;
    Ok(hash)
}
