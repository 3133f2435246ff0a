//! Sessions of the web interface: what the session layer keeps, and how they are listed and ended.
//!
//! Invariants: a session ends 30 minutes after its last use and 12 hours after it began, whichever is first; one that was begun
//! with another password or role is none any more. The cookie's content is not in the database.

use super::super::controller::of_store;
use super::super::service::{Refusal, RefusalKind};
use super::super::wire::{At, SessionShow};
use super::tokens::whose;
use super::{Gate, fingerprint};
use crate::access::Caller;
use crate::model::dns::{hex, unhex};
use crate::model::time::Time;
use crate::store::{AccountRecord, SessionRecord, StoreError};
use async_trait::async_trait;
use axum_login::{AuthUser, AuthnBackend};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use tower_sessions::session::{Id, Record};
use tower_sessions::{SessionStore, session_store};
use zeroize::Zeroizing;

pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
pub const SESSION_LONGEST: Duration = Duration::from_secs(12 * 3600);

/// Where a second factor's secret is until a code of it was shown.
const PENDING_PLACE: &str = "sessions/totp/v1";

/// The session layer's key for what we keep in a session.
pub const ABOUT: &str = "about";

/// What is kept of a session beside whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub account: String,
    pub began_at_ms: i64,
    pub seen_at_ms: i64,
    pub address: Option<String>,
    pub browser: String,
    /// What a form has to bring along.
    pub form_token: String,
}

impl Session {
    pub fn is_over(&self, now: Time) -> bool {
        Time(self.began_at_ms).until(now) >= SESSION_LONGEST || Time(self.seen_at_ms).until(now) >= SESSION_IDLE
    }
}

/// The session layer's store, in our database.
#[derive(Clone)]
pub struct Sessions(pub Gate);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

fn stored_id(id: &Id) -> String {
    fingerprint(&id.to_string())
}

fn broken(error: StoreError) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

/// How a session is kept; `now` by our clock, which the layer does not ask.
fn stored(record: &Record, now: Time) -> session_store::Result<SessionRecord> {
    let about = record.data.get(ABOUT).and_then(|value| serde_json::from_value::<Session>(value.clone()).ok());
    // The layer reads back what it wrote, but not under which name.
    let nameless = Record { id: Id(0), data: record.data.clone(), expiry_date: record.expiry_date };
    let text = serde_json::to_string(&nameless).map_err(|e| session_store::Error::Encode(e.to_string()))?;
    Ok(SessionRecord {
        id: stored_id(&record.id),
        account: about.map(|about| about.account).unwrap_or_default(),
        record: text,
        expires_at: now.plus(SESSION_IDLE).0,
    })
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        // What is begun anew has an id that nobody has seen: the layer would go on with that of the session before, and whoever
        // put that into the browser with it.
        record.id = Id::default();
        self.0.drop_old_sessions().await.map_err(|refusal| session_store::Error::Backend(refusal.text))?;
        self.0.store.begin_session(&stored(record, self.0.now())?).await.map_err(broken)
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.0.store.save_session(&stored(record, self.0.now())?).await.map_err(broken)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let Some(stored) = self.0.store.session(&stored_id(id), self.0.now()).await.map_err(broken)? else {
            return Ok(None);
        };
        let read = serde_json::from_str::<Record>(&stored.record);
        let mut record = read.map_err(|e| session_store::Error::Decode(e.to_string()))?;
        record.id = *id;
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.store.delete_session(&stored_id(id)).await.map_err(broken)
    }
}

impl AuthUser for AccountRecord {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.stamp
    }
}

impl AuthnBackend for Gate {
    type User = AccountRecord;
    type Credentials = super::SignIn;
    type Error = Refusal;

    async fn authenticate(&self, with: super::SignIn) -> Result<Option<AccountRecord>, Refusal> {
        self.sign_in(with).await.map(Some)
    }

    async fn get_user(&self, name: &String) -> Result<Option<AccountRecord>, Refusal> {
        Ok(self.store.account(name).await.map_err(of_store)?.filter(|account| !account.disabled))
    }
}

impl Gate {
    /// Their own; an admin sees everybody's.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionShow>, Refusal> {
        let now = self.now();
        let stored = self.store.sessions(whose(caller), now).await.map_err(of_store)?;
        let shown = stored.into_iter().filter_map(|session| {
            let record = serde_json::from_str::<Record>(&session.record).ok()?;
            let about: Session = serde_json::from_value(record.data.get(ABOUT)?.clone()).ok()?;
            let (began, seen) = (Time(about.began_at_ms), Time(about.seen_at_ms));
            (!about.is_over(now)).then(|| SessionShow {
                id: session.id,
                account: about.account,
                began_at: At::clock(began),
                last_seen_at: At::clock(seen),
                ends_at: At::clock(began.plus(SESSION_LONGEST).min(seen.plus(SESSION_IDLE))),
                address: about.address,
                browser: about.browser,
            })
        });
        Ok(shown.collect())
    }

    /// How a session is named in the list: no secret.
    pub fn session_name(&self, id: &Id) -> String {
        stored_id(id)
    }

    /// What is kept in a session for a moment and is secret is sealed there, too.
    pub fn seal_pending(&self, text: &str) -> Result<String, Refusal> {
        self.store.seal(PENDING_PLACE, text.as_bytes(), self.nonce()).map(|sealed| hex(&sealed)).map_err(of_store)
    }

    /// `None`: it is not ours, or the master key was exchanged meanwhile.
    pub fn open_pending(&self, sealed: &str) -> Option<Zeroizing<String>> {
        let opened = self.store.open_sealed(PENDING_PLACE, &unhex(sealed)?).ok()?;
        String::from_utf8(opened.to_vec()).ok().map(Zeroizing::new)
    }

    pub async fn end_session(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        match self.signed(caller).revoke_session(id, whose(caller)).await.map_err(of_store)? {
            true => Ok(()),
            false => Err(Refusal::new(RefusalKind::NotFound, "unknown-session", "there is no such session any more")
                .with_fix("see the list of sessions")),
        }
    }

    /// Something new about somebody's session.
    pub fn new_session(&self, account: &str, address: Option<String>, browser: &str) -> Session {
        let now = self.now();
        Session {
            account: account.to_owned(),
            began_at_ms: now.0,
            seen_at_ms: now.0,
            address,
            browser: browser.chars().take(120).collect(),
            form_token: self.secret("").as_str().to_owned(),
        }
    }

    pub async fn drop_old_sessions(&self) -> Result<(), Refusal> {
        self.store.drop_old_sessions(self.now()).await.map_err(of_store)
    }
}
