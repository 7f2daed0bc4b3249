// SPDX-License-Identifier: GPL-2.0-only
//! Saving the configurations of sessions to files.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/save.c`.

use lttng_protocol::client::ErrorCode;

use super::action::SaveSession;
use super::desk::{Desk, Serving, Unserved, task};
use crate::operation::save_sessions::SaveSessions;
use crate::turn::ids::{Identity, SessionId};
use crate::users;

/// Where configurations are below a user's home (lttng-tools 2.13: `src/common/defaults.h`).
const BELOW_HOME: &str = ".lttng/sessions";

/// Saves one session, or all that the client may control, newest first.
///
/// What is wanted of a session that a task holds may still be refused, so it is waited for. The task does not hold the
/// sessions that it saves: each text is made at once.
pub fn sessions(desk: &mut Desk<'_>, asked: SaveSession) -> Serving {
    let SaveSession { session, directory, overwrite } = asked;
    let named = session.is_some();
    let sessions: Vec<SessionId> = match session {
        Some(name) => {
            let id = desk.find(&name)?;
            if desk.state.is_held(id) {
                return Err(Unserved::Wait);
            }
            vec![id]
        }
        None => {
            let uid = desk.credentials.uid;
            let all = desk.state.sessions.iter().rev();
            let may = all.filter(|session| !session.is_destroyed() && session.accessible_to(uid));
            may.map(|session| session.id).collect()
        }
    };
    let client = Identity { uid: desk.credentials.uid, gid: desk.credentials.gid };
    if sessions.is_empty() {
        return super::desk::DONE;
    }
    let directory = match directory {
        Some(directory) => directory,
        None => below_home(client.uid)?,
    };
    task(SaveSessions::new(client, directory, overwrite, sessions, named))
}

/// The default place of a user's configurations. Only the passwd entry tells where that user's home is.
fn below_home(uid: u32) -> Result<String, ErrorCode> {
    let home = users::system_home_of(uid).and_then(|home| home.into_os_string().into_string().ok());
    Ok(format!("{}/{BELOW_HOME}", home.ok_or(ErrorCode::SetUrl)?))
}
