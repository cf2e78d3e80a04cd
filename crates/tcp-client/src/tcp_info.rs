//! What the kernel knows of a connection: tcp(7), `TCP_INFO`.

use std::fs::{self, File};
use std::io::Read;
use std::mem::offset_of;
use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::time::Duration;

use common::probe::extras::{self, Extra};
use nix::sys::socket::getsockopt;
use nix::{Error as Errno, getsockopt_impl, libc, sockopt_impl};

use crate::silence::Figures;

/// What the kernel knows of a connection.
#[derive(Clone, Debug)]
pub struct TcpInfo {
    /// It, in words of four bytes.
    words: [u32; OUT_OF_ORDER + 1],
    /// Whether the kernel has all of them, and not only those of every kernel.
    is_long: bool,
}

/// How the making of a connection went, as the kernel saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// How often the SYN was sent again.
    pub syn_retransmits: u32,
    /// From sending the SYN until its answer came: the first sample of the round-trip time
    /// (RFC 6298, section 2.2; `tcpi_rtt`), which the kernel takes to the microsecond, however
    /// late the loop wakes. None if no answer has come, or if it could be that of any of
    /// several SYNs (RFC 6298, section 3), or in less than a microsecond.
    pub round_trip: Option<Duration>,
}

sockopt_impl!(
    /// What every kernel has of it.
    Short,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    [u32; EVERY_KERNELS]
);

sockopt_impl!(
    /// What Linux 5.4 and later has of it.
    Long,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    [u32; OUT_OF_ORDER + 1]
);

const SEND_MSS: usize = offset_of!(libc::tcp_info, tcpi_snd_mss) / 4;
const UNACKED: usize = offset_of!(libc::tcp_info, tcpi_unacked) / 4;
const SACKED: usize = offset_of!(libc::tcp_info, tcpi_sacked) / 4;
const LAST_SENT: usize = offset_of!(libc::tcp_info, tcpi_last_data_sent) / 4;
const RTT: usize = offset_of!(libc::tcp_info, tcpi_rtt) / 4;
const OWN_MSS: usize = offset_of!(libc::tcp_info, tcpi_advmss) / 4;
const TOTAL_RETRANS: usize = offset_of!(libc::tcp_info, tcpi_total_retrans) / 4;
const EVERY_KERNELS: usize = TOTAL_RETRANS + 1;
const NOT_SENT: usize = offset_of!(libc::tcp_info, tcpi_notsent_bytes) / 4;
const OUT_OF_ORDER: usize = offset_of!(libc::tcp_info, tcpi_rcv_ooopack) / 4;

/// Which of the first bytes has the options that both sides have agreed on.
const OPTIONS: usize = offset_of!(libc::tcp_info, tcpi_options);
/// linux/tcp.h: both sides send timestamps (RFC 7323), which take room in each segment.
const HAS_TIMESTAMPS: u8 = 1;
/// Their bytes, with those that fill the last word.
const TIMESTAMPS: u32 = 12;

/// Whether an emulator runs the program (qemu-user). It takes TCP_INFO for a number and returns four
/// bytes, and nix panics at the length. It hides itself in `/proc/self`, but not here.
static IS_EMULATED: LazyLock<bool> = LazyLock::new(|| {
    let program = |of| fs::read_link(format!("/proc/{of}/exe")).ok();
    program("self") != program("thread-self")
});

/// Whether the kernel has all of it. An older one, or a sandbox that passes for one, returns less
/// than was asked for, at which nix panics.
static IS_LONG: LazyLock<bool> = LazyLock::new(|| {
    let mut release = [0; 8];
    let file = File::open("/proc/sys/kernel/osrelease");
    file.and_then(|mut file| file.read(&mut release)).is_ok() && is_at_least_5_4(&release)
});

/// Whether a kernel's `release` is 5.4, which has tcpi_rcv_ooopack, or a later one.
fn is_at_least_5_4(release: &[u8]) -> bool {
    let mut parts = release.split(|byte| !byte.is_ascii_digit());
    let mut next = || {
        parts.next().unwrap_or_default().iter().fold(0, |n, digit| n * 10 + i32::from(digit - b'0'))
    };
    let major = next();
    major > 5 || (major == 5 && next() >= 4)
}

impl TcpInfo {
    /// What every kernel knows of the connection of `socket`; none if the system does not say.
    pub fn short(socket: &impl AsFd) -> Option<Self> {
        let refused = IS_EMULATED.then_some(Err(Errno::EOPNOTSUPP));
        let asked = refused.unwrap_or_else(|| getsockopt(socket, Short));
        let short = extras::have(Extra::TcpInfo, asked)?;
        let mut words = [0; OUT_OF_ORDER + 1];
        words[..EVERY_KERNELS].copy_from_slice(&short);
        Some(Self { words, is_long: false })
    }

    /// All that the kernel knows of it.
    pub fn long(socket: &impl AsFd) -> Option<Self> {
        if *IS_EMULATED || !*IS_LONG {
            return Self::short(socket);
        }
        let words = extras::have(Extra::TcpInfo, getsockopt(socket, Long))?;
        Some(Self { words, is_long: true })
    }

    /// How the handshake went, of a connection over which nothing was sent yet.
    pub fn handshake(&self) -> Handshake {
        let (syn_retransmits, round_trip) = (self.words[TOTAL_RETRANS], self.words[RTT]);
        let is_measured = syn_retransmits == 0 && round_trip > 0;
        let round_trip = is_measured.then(|| Duration::from_micros(round_trip.into()));
        Handshake { syn_retransmits, round_trip }
    }

    /// What it says of a connection whose SYN was sent again `syns` times.
    pub fn figures(&self, syns: u32) -> Figures {
        let at = |word: usize| self.words[word];
        let known = |word| self.is_long.then_some(at(word));
        let has_timestamps = at(OPTIONS / 4).to_ne_bytes()[OPTIONS % 4] & HAS_TIMESTAMPS != 0;
        Figures {
            unacknowledged: at(UNACKED).saturating_sub(at(SACKED)),
            segment: at(SEND_MSS),
            peers_segment: at(OWN_MSS),
            options: if has_timestamps { TIMESTAMPS } else { 0 },
            sent_ago: Duration::from_millis(at(LAST_SENT).into()),
            sent_again: at(TOTAL_RETRANS).saturating_sub(syns),
            held_back: known(NOT_SENT),
            out_of_order: known(OUT_OF_ORDER),
        }
    }
}

#[cfg(test)]
mod tests {
    // A test fails by panicking.
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn only_later_kernels_are_asked_for_all_of_it() {
        for (release, is_long) in [
            ("5.4.0-42-generic\n", true),
            ("6.18.44-fc-v657", true),
            ("5.3.18", false),
            ("4.19.0-gvisor", false),
            ("5", false),
            ("", false),
            ("linux", false),
        ] {
            assert_eq!(is_at_least_5_4(release.as_bytes()), is_long, "{release}");
        }
    }

    #[test]
    fn the_figures_are_in_the_words_where_the_kernel_has_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let long = TcpInfo::long(&stream).unwrap().figures(0);
        assert!(long.segment > 500 && long.peers_segment >= long.segment, "{long:?}");
        // Nobody reads: what the window has no room for is held back.
        stream.set_nonblocking(true).unwrap();
        while stream.write(&[0; 65_536]).is_ok() {}
        let long = TcpInfo::long(&stream).unwrap().figures(0);
        assert!(long.held_back.is_some_and(|bytes| bytes > 0), "{long:?}");
        assert_eq!(long.out_of_order, Some(0));
        // An old kernel does not know the last of them.
        let short = TcpInfo::short(&stream).unwrap().figures(0);
        let known = Figures { held_back: None, out_of_order: None, ..long };
        assert_eq!(short, Figures { sent_ago: short.sent_ago, ..known });
    }
}
