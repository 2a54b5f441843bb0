use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use fetch_testbed::Site;

/// Far longer than anything takes here, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A client that knows just enough HTTP/1.1 to see what the site really sends.
pub(crate) struct Client<S: Read + Write>(BufReader<S>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(each, _)| each == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

impl Client<TcpStream> {
    pub(crate) fn new(site: &Site) -> Self {
        Self::to(site.address())
    }

    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the site listens");
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.try_get(target)
            .unwrap_or_else(|error| panic!("GET {target}: {error}"))
    }

    pub(crate) fn try_get(&mut self, target: &str) -> io::Result<Answer> {
        self.ask("GET", target, "", b"")
    }

    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        self.send(method, target, headers, body)?;
        let mut answer = self.head()?;
        if method != "HEAD" && !matches!(answer.status, 204 | 304) {
            answer.body = self.body(&answer)?;
        }
        Ok(answer)
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> io::Result<()> {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: demo\r\n{headers}");
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        self.0
            .get_mut()
            .write_all(&[request.as_bytes(), body].concat())
    }

    pub(crate) fn head(&mut self) -> io::Result<Answer> {
        let line = self.line()?;
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not HTTP: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Ok(Answer {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// Reads what there is until the connection ends one way or another.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut rest = Vec::new();
        let result = self.0.read_to_end(&mut rest).map(drop);
        (rest, result)
    }

    pub(crate) fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }

    fn body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        if let Some(length) = answer.header("content-length") {
            return self.exactly(length.parse().unwrap());
        }
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    pub(crate) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let size = self.line()?;
        let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
        let chunk = self.exactly(size)?;
        self.line()?;
        Ok(chunk)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
