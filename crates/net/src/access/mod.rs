//! Who may come in: parts that check what a client shows. Nothing here knows what a door does.

mod certificate;
pub mod jwt;
mod login;

pub use certificate::CertificateName;
pub use login::Logins;
