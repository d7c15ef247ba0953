//! Which certificate authorities a name's CAA records allow (RFC 8659): a question to the DNS for which the system's
//! resolver has no call. Asked of the name servers in /etc/resolv.conf, over UDP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

const TYPE: u16 = 257;
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_SERVERS: usize = 2;
/// What an answer may have, so that no network takes it apart.
const LARGEST: u16 = 1232;

/// Tag and value of each record of this very name; none, too, where there is no such name.
pub async fn caa(name: &str) -> Result<Vec<(String, String)>, String> {
    let configured = tokio::fs::read_to_string("/etc/resolv.conf").await;
    let configured = configured.map_err(|error| format!("/etc/resolv.conf: {error}"))?;
    let id: u16 = rand::random();
    let question = question(id, name).ok_or_else(|| format!("{name} is no name"))?;
    let mut why = "no name server is configured".to_owned();
    for server in servers(&configured).take(MOST_SERVERS) {
        match timeout(PATIENCE, ask(server, &question)).await {
            Ok(Ok(records)) => return Ok(records),
            Ok(Err(error)) => why = error,
            Err(_) => why = format!("{server} does not answer"),
        }
    }
    Err(why)
}

fn servers(configured: &str) -> impl Iterator<Item = IpAddr> {
    let values = configured.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    values.filter_map(|value| value.trim().parse().ok())
}

async fn ask(server: IpAddr, question: &[u8]) -> Result<Vec<(String, String)>, String> {
    let own: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let failed = |error: std::io::Error| format!("{server}: {error}");
    let socket = UdpSocket::bind((own, 0)).await.map_err(failed)?;
    socket.connect((server, 53)).await.map_err(failed)?;
    socket.send(question).await.map_err(failed)?;
    let mut buffer = [0; LARGEST as usize];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(failed)?;
        // Whatever else arrives is somebody's guess.
        if buffer.get(..2) == question.get(..2) {
            return records(&buffer[..length]).ok_or_else(|| format!("{server} has no usable answer"));
        }
    }
}

/// A packet that asks for the CAA records of `name`, recursively, with EDNS so that the answer may be longer.
fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut packet = vec![];
    for word in [id, 0x0100, 1, 0, 0, 1] {
        packet.extend(word.to_be_bytes());
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        packet.push(length);
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    for word in [TYPE, 1] {
        packet.extend(word.to_be_bytes());
    }
    packet.push(0);
    for word in [41, LARGEST, 0, 0, 0] {
        packet.extend(word.to_be_bytes());
    }
    Some(packet)
}

/// `None` where the server failed, or the answer is cut off or broken.
fn records(packet: &[u8]) -> Option<Vec<(String, String)>> {
    let mut reader = Reader { packet, at: 2 };
    let flags = reader.number()?;
    let (is_answer, is_cut_off, code) = (flags & 0x8000 != 0, flags & 0x0200 != 0, flags & 0x000f);
    let (questions, answers) = (reader.number()?, reader.number()?);
    // 3: there is no such name.
    if !is_answer || is_cut_off || !matches!(code, 0 | 3) {
        return None;
    }
    reader.at += 4;
    for _ in 0..questions {
        reader.skip_name()?;
        reader.bytes(4)?;
    }
    let mut found = vec![];
    for _ in 0..answers {
        reader.skip_name()?;
        let kind = reader.number()?;
        // Class and time to live.
        reader.bytes(6)?;
        let length = usize::from(reader.number()?);
        let data = reader.bytes(length)?;
        if kind == TYPE {
            let (tag, value) = data.get(2..)?.split_at_checked(usize::from(*data.get(1)?))?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push((text(tag).to_ascii_lowercase(), text(value)));
        }
    }
    Some(found)
}

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.packet.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    fn skip_name(&mut self) -> Option<()> {
        loop {
            match *self.bytes(1)?.first()? {
                0 => return Some(()),
                length @ 1..64 => drop(self.bytes(usize::from(length))?),
                // Its rest stands elsewhere.
                _ => return self.bytes(1).map(drop),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{question, records, servers};

    /// `lab.test` with one CAA record, behind an alias.
    fn answer() -> Vec<u8> {
        let mut packet = question(7, "lab.test").unwrap();
        packet.truncate(packet.len() - 11);
        packet[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0]);
        packet.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'x', 0xc0, 12]);
        packet.extend([0xc0, 12, 1, 1, 0, 1, 0, 0, 0, 60, 0, 12, 0, 5]);
        packet.extend(b"ISSUEca.de");
        packet
    }

    #[test]
    fn records_are_found_in_an_answer() {
        assert_eq!(records(&answer()).unwrap(), [("issue".to_owned(), "ca.de".to_owned())]);
        let mut none = answer();
        (none[3], none[7]) = (0x83, 0);
        assert_eq!(records(&none).unwrap(), []);
    }

    #[test]
    fn what_is_broken_or_cut_off_is_no_answer() {
        let whole = answer();
        for length in 0..whole.len() {
            assert_eq!(records(&whole[..length]), None, "{length} bytes");
        }
        for (at, value) in [(2, 0x01), (2, 0x83), (3, 0x82)] {
            let mut packet = answer();
            packet[at] = value;
            assert_eq!(records(&packet), None);
        }
        assert_eq!(question(1, "a..b"), None);
    }

    #[test]
    fn name_servers_as_configured() {
        let found: Vec<String> =
            servers("# nameserver 9.9.9.9\nnameserver 127.0.0.53\nsearch x\nnameserver\t::1\n")
                .map(|address| address.to_string())
                .collect();
        assert_eq!(found, ["127.0.0.53", "::1"]);
    }
}
