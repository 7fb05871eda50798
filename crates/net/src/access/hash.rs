//! Hashes of passwords as other programs write them: argon2id as a PHC string, bcrypt as htpasswd has it.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// What one login may take: more would let a few of them stop the machine.
const MOST_MEMORY_KIB: u32 = 256 << 10;
/// Memory times passes, in KiB: some seconds at most.
const MOST_WORK_KIB: u64 = 4 << 20;
/// Each step doubles the time; 14 is about a second.
const MOST_COST: u32 = 14;
/// The letters of bcrypt's Base64.
const BCRYPT: &str = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// What to do about a hash that is not taken.
const WRITE: &str = "write one of argon2id ($argon2id$v=19$m=19456,t=2,p=1$…) or bcrypt ($2y$…, by htpasswd -nB NAME)";

/// The hash of one password. No secret as such, but what guesses are tried on: nothing shows it.
pub struct PasswordHash(Kind);

enum Kind {
    Argon2 { params: Params, salt: Vec<u8>, hash: Vec<u8> },
    Bcrypt { text: String },
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Argon2 { .. } => "PasswordHash(argon2id)",
            Kind::Bcrypt { .. } => "PasswordHash(bcrypt)",
        })
    }
}

impl PasswordHash {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and what to write; it is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split('$').nth(1) {
            Some("argon2id") => argon2id(text),
            Some("2a" | "2b" | "2y") => bcrypt(text),
            Some(kind @ ("argon2i" | "argon2d" | "2x" | "2" | "apr1" | "1" | "5" | "6" | "scrypt")) => {
                Err(format!("a hash of the kind {kind} is not taken: {WRITE}"))
            }
            _ => Err(format!("it is not the hash of a password: {WRITE}")),
        }
    }

    /// Whether it is of this password. It takes some ten milliseconds and, for argon2, its memory.
    pub fn is_of(&self, password: &SecretString) -> bool {
        let password = password.expose_secret().as_bytes();
        match &self.0 {
            Kind::Argon2 { params, salt, hash } => {
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                let mut made = vec![0; hash.len()];
                argon2.hash_password_into(password, salt, &mut made).is_ok() && bool::from(made.ct_eq(hash))
            }
            // More than 71 bytes would be cut off, and any ending would do: refused, and as late as others.
            Kind::Bcrypt { text } => {
                let short = &password[..password.len().min(71)];
                bcrypt::verify(short, text).unwrap_or(false) && short.len() == password.len()
            }
        }
    }

    /// One that takes as long and is of no password.
    pub fn of_nobody(&self) -> Self {
        let mut random = [0; 64];
        // Where the system has no random numbers, nothing came so far.
        let _ = SystemRandom::new().fill(&mut random);
        Self(match &self.0 {
            Kind::Argon2 { params, salt, hash } => Kind::Argon2 {
                params: params.clone(),
                salt: random.iter().copied().cycle().take(salt.len()).collect(),
                hash: random.iter().rev().copied().cycle().take(hash.len()).collect(),
            },
            Kind::Bcrypt { text } => {
                let letter = |byte: &u8| char::from(BCRYPT.as_bytes()[usize::from(byte % 64)]);
                // The last letter of the salt and of the hash has bits that must be zero.
                let salt: String = random[..21].iter().map(letter).collect();
                let hash: String = random[21..51].iter().map(letter).collect();
                Kind::Bcrypt { text: format!("{}{salt}.{hash}.", &text[..7]) }
            }
        })
    }
}

/// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
fn argon2id(text: &str) -> Result<PasswordHash, String> {
    let whole = || format!("the hash of argon2id is not whole: {WRITE}");
    let parts: Vec<&str> = text.split('$').collect();
    let ["", _, version, costs, salt, hash] = parts[..] else { return Err(whole()) };
    if version != "v=19" {
        return Err("the hash of argon2id is not of version 1.3 (v=19): make a new one".to_owned());
    }
    let costs: Vec<&str> = costs.split(',').collect();
    let [memory, passes, lanes] = costs[..] else { return Err(whole()) };
    let number = |part: &str, name: &str| part.strip_prefix(name)?.parse::<u32>().ok();
    let (Some(memory), Some(passes), Some(lanes)) = (number(memory, "m="), number(passes, "t="), number(lanes, "p="))
    else {
        return Err(whole());
    };
    if memory > MOST_MEMORY_KIB || u64::from(memory) * u64::from(passes) > MOST_WORK_KIB {
        return Err(format!(
            "m={memory},t={passes} would let a few logins stop this machine: at most m={MOST_MEMORY_KIB}, and m times t at most {MOST_WORK_KIB}"
        ));
    }
    let bytes = |part: &str| STANDARD_NO_PAD.decode(part).map_err(|_| whole());
    let (salt, hash) = (bytes(salt)?, bytes(hash)?);
    if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&hash.len()) {
        return Err(whole());
    }
    let params = Params::new(memory, passes, lanes, Some(hash.len())).map_err(|_| whole())?;
    Ok(PasswordHash(Kind::Argon2 { params, salt, hash }))
}

/// `$2y$<cost>$<22 letters of salt><31 of hash>`.
fn bcrypt(text: &str) -> Result<PasswordHash, String> {
    let whole = || format!("the hash of bcrypt is not whole: {WRITE}");
    let parts: Vec<&str> = text.split('$').collect();
    let ["", _, cost, rest] = parts[..] else { return Err(whole()) };
    let letters = rest.len() == 53 && rest.chars().all(|letter| BCRYPT.contains(letter));
    let cost: u32 = cost.parse().ok().filter(|_| cost.len() == 2 && letters).ok_or_else(whole)?;
    if !(4..=MOST_COST).contains(&cost) {
        return Err(format!("the cost {cost} of bcrypt is not taken: 10 is usual, {MOST_COST} the most"));
    }
    // What the library cannot read would be wrong for every password.
    text.parse::<bcrypt::HashParts>().map_err(|_| whole())?;
    Ok(PasswordHash(Kind::Bcrypt { text: text.to_owned() }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// By argon2-cffi 25.1, libxcrypt and bcrypt 5.0 of Python.
    const KNOWN: [(&str, &str); 6] = [
        (
            "correct horse",
            "$argon2id$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$BaW4fpaHKjCZWAGDYdvtrxLvSh/SRTUPoEiB6ytkbCs",
        ),
        ("Läden und Käse", "$argon2id$v=19$m=128,t=1,p=2$c2FsdHNhbHRzYWx0$QTo+N3HFfinpctT1CEifPg92FF3OhxjH"),
        (
            "correct horse",
            "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rk2Mi3E4dgRMg0fHaYaptWVZRKqs//6b6k3/nntqGJk",
        ),
        ("correct horse", "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
        ("Läden und Käse", "$2y$04$abcdefghijklmnopqrstuuSjOssDM9a774ra5ngYTZXVx7lRbUIB."),
        ("correct horse", "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
    ];

    fn is_of(hash: &str, password: &str) -> bool {
        PasswordHash::parse(hash).unwrap().is_of(&password.to_owned().into())
    }

    #[test]
    fn hashes_of_other_programs_are_read() {
        for (password, hash) in KNOWN {
            assert!(is_of(hash, password), "{hash}");
            for wrong in ["", "correct horsf", "correct hors", "correct horse ", "Läden und Kase"] {
                assert!(!is_of(hash, wrong), "{hash} {wrong}");
            }
        }
    }

    #[test]
    fn what_bcrypt_would_cut_off_is_not_right() {
        let longest = "$2b$04$abcdefghijklmnopqrstuuMCu.k1vM/ywQwiONaEn3oEMlZoCVBd6";
        assert!(is_of(longest, &"a".repeat(71)) && !is_of(longest, &"a".repeat(72)));
        // Of 72 letters: bcrypt takes any ending, we take none.
        let cut = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe";
        for length in [71, 72, 73, 100] {
            assert!(!is_of(cut, &"a".repeat(length)), "{length}");
        }
    }

    #[test]
    fn what_is_not_taken_says_what_to_write_and_not_what_was_given() {
        let salt = "MDEyMzQ1Njc4OWFiY2RlZg$BaW4fpaHKjCZWAGDYdvtrxLvSh/SRTUPoEiB6ytkbCs";
        for text in [
            "",
            "secret",
            "$",
            "$argon2id",
            "$argon2id$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg",
            "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6",
            "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6é",
            "$2y$4$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6ee",
            "$2y$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
            "$2y$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
            "$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
            "$apr1$salt$hash",
            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
            &format!("$argon2i$v=19$m=256,t=2,p=1${salt}"),
            &format!("$argon2id$v=16$m=256,t=2,p=1${salt}"),
            &format!("$argon2id$m=256,t=2,p=1${salt}"),
            &format!("$argon2id$v=19$m=256,t=2${salt}"),
            &format!("$argon2id$v=19$t=2,m=256,p=1${salt}"),
            &format!("$argon2id$v=19$m=256,t=2,p=1,keyid=AA${salt}"),
            &format!("$argon2id$v=19$m=0,t=2,p=1${salt}"),
            &format!("$argon2id$v=19$m=256,t=0,p=1${salt}"),
            &format!("$argon2id$v=19$m=256,t=2,p=0${salt}"),
            &format!("$argon2id$v=19$m=4194304,t=2,p=1${salt}"),
            &format!("$argon2id$v=19$m=262144,t=100,p=1${salt}"),
            &format!("$argon2id$v=19$m=256,t=2,p=1${salt}="),
            &format!(" $argon2id$v=19$m=256,t=2,p=1${salt}"),
        ] {
            let error = PasswordHash::parse(text).unwrap_err();
            assert!(!error.contains("BaW4fpa") && !error.contains("jydOTSf") && !error.contains("secret"), "{error}");
            assert!(error.contains("argon2id") || error.contains("at most") || error.contains("the most"), "{error}");
        }
    }

    #[test]
    fn nobodys_hash_costs_the_same_and_is_of_no_password() {
        for (password, hash) in KNOWN {
            let known = PasswordHash::parse(hash).unwrap();
            let nobody = known.of_nobody();
            assert!(!nobody.is_of(&password.to_owned().into()));
            match (&known.0, &nobody.0) {
                (
                    Kind::Argon2 { params: one, hash: first, salt },
                    Kind::Argon2 { params: two, hash: second, salt: other },
                ) => {
                    assert_eq!((one.m_cost(), one.t_cost(), one.p_cost()), (two.m_cost(), two.t_cost(), two.p_cost()));
                    assert_eq!((first.len(), salt.len()), (second.len(), other.len()));
                }
                (Kind::Bcrypt { text: one }, Kind::Bcrypt { text: two }) => {
                    assert_eq!((&one[..7], one.len()), (&two[..7], two.len()));
                    // One that could not be read would be wrong at once.
                    assert!(PasswordHash::parse(two).is_ok(), "{two}");
                }
                _ => panic!("another kind"),
            }
        }
    }
}
