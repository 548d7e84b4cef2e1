//! The address of a remote store, as far as two spellings of it can be told to be the same.
//!
//! **Unconfirmed**: no specification says how such addresses are compared. Scheme and host are compared without case, the
//! port that a scheme has by default may be left out, and everything behind the host is compared byte for byte.

/// Ports that may be left out. 4420 is the port that is registered for NVMe over fabrics.
const DEFAULT_PORTS: [(&str, u16); 2] = [("nvme+tcp", 4420), ("nvme+rdma", 4420)];

/// An address, split.
#[derive(Clone, Copy, Debug)]
pub struct Url<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
    /// Path, query and fragment, with the character that begins them.
    rest: &'a str,
}

/// Why a text is no address that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not `scheme://host`, perhaps with a port.
    Form,
    /// It names a user, perhaps with a password: that does not belong into a profile, which is shown to people.
    Credentials,
}

impl<'a> Url<'a> {
    /// Splits `scheme://host[:port][/path]`.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        let (scheme, behind) = text.split_once("://").ok_or(Fault::Form)?;
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at_checked(end).ok_or(Fault::Form)?;
        if authority.contains('@') {
            return Err(Fault::Credentials);
        }
        // An IPv6 address stands in brackets and has colons of its own.
        let host_end = authority.find(']').map_or_else(|| authority.find(':'), |at| Some(at + 1));
        let (host, port) = authority.split_at_checked(host_end.unwrap_or(authority.len())).ok_or(Fault::Form)?;
        let port = match port.strip_prefix(':') {
            Some("") => None,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| Fault::Form)?)
            }
            None if port.is_empty() => None,
            _ => return Err(Fault::Form),
        };
        let letters = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'-' | b'.');
        if scheme.is_empty() || !scheme.bytes().all(letters) || host.is_empty() {
            return Err(Fault::Form);
        }
        Ok(Self { scheme, host, port, rest })
    }

    /// Whether both lead to the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port() == other.port()
            && self.rest == other.rest
    }

    fn port(&self) -> Option<u16> {
        let default = DEFAULT_PORTS.iter().find(|(scheme, _)| self.scheme.eq_ignore_ascii_case(scheme));
        self.port.or_else(|| default.map(|(_, port)| *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let rows = [
            ("nvme+tcp://stor1/nqn", "nvme+tcp://stor1/nqn", true),
            ("NVME+TCP://STOR1:4420/nqn", "nvme+tcp://stor1/nqn", true),
            ("nvme+rdma://stor1:/nqn", "nvme+rdma://stor1:4420/nqn", true),
            ("nvme+tcp://[FE80::1]:4420/nqn", "nvme+tcp://[fe80::1]/nqn", true),
            ("nvme+tcp://stor1:4421/nqn", "nvme+tcp://stor1/nqn", false),
            ("nvme+tcp://stor1/nqn", "nvme+tcp://stor1/NQN", false),
            ("nvme+tcp://stor1", "nvme+tcp://stor1/", false),
            ("nvme+tcp://stor1/a", "nvme+rdma://stor1/a", false),
            ("nvme+tcp://stor1/a", "nvme+tcp://stor2/a", false),
            ("other://stor1:4420", "other://stor1", false),
            ("other://stor1?a", "other://STOR1?a", true),
        ];
        for (first, second, expected) in rows {
            let (first, second) = (Url::parse(first).unwrap(), Url::parse(second).unwrap());
            assert_eq!((first.is_same(&second), second.is_same(&first)), (expected, expected), "{first:?} {second:?}");
        }
    }

    #[test]
    fn what_is_no_address() {
        let rows = [
            ("", Fault::Form),
            ("stor1", Fault::Form),
            ("://stor1", Fault::Form),
            ("nvme tcp://stor1", Fault::Form),
            ("nvme+tcp://", Fault::Form),
            ("nvme+tcp:///nqn", Fault::Form),
            ("nvme+tcp://stor1:port/nqn", Fault::Form),
            ("nvme+tcp://stor1:65536/nqn", Fault::Form),
            ("nvme+tcp://stor1:+1/nqn", Fault::Form),
            ("nvme+tcp://[::1]x/nqn", Fault::Form),
            ("nvme+tcp://me:word@stor1/nqn", Fault::Credentials),
            ("nvme+tcp://me@stor1", Fault::Credentials),
        ];
        for (text, fault) in rows {
            assert_eq!(Url::parse(text).err(), Some(fault), "{text}");
        }
        assert!(Url::parse("nvme+tcp://stor1/me@home").is_ok());
    }
}
