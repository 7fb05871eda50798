//! Who may come in: parts that check what a client shows. Nothing here knows what a door does.

mod certificate;
mod crypto;
mod failures;
mod hash;
pub mod jwt;
mod key;
mod key_text;
mod login;
mod password;
mod quota;
mod services;
mod shown;
mod table;

pub use certificate::CertificateName;
pub use crypto::Digest;
pub use failures::{Failing, Failure, Failures, Origin, Slowed};
pub use hash::PasswordHash;
pub use key::{Keys, NamedKey};
pub use key_text::{KeyText, NotAKey, sha256_hex};
pub use login::Logins;
pub use password::{Busy, Login, Passwords};
pub use quota::{Limits, Over, Quota, Running};
pub use services::Services;
pub use shown::{Shown, TOKEN_HEADER};
pub use table::{Access, Checking, Credential, Denied, Need};
