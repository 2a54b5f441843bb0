//! A blocking client for the tests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use fetch_testbed::Site;

/// Timeout that no test reaches, even on a busy machine.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

/// A minimal HTTP/1.1 client that shows the bytes of the site.
pub(crate) struct BlockingClient<S: Read + Write>(BufReader<S>);

#[derive(Debug)]
pub(crate) struct ClientResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl ClientResponse {
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

impl BlockingClient<TcpStream> {
    pub(crate) fn new(site: &Site) -> Self {
        Self::connect(site.address())
    }

    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the site listens");
        stream.set_read_timeout(Some(MAX_WAIT)).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> BlockingClient<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) fn get(&mut self, target: &str) -> ClientResponse {
        self.try_get(target)
            .unwrap_or_else(|error| panic!("GET {target}: {error}"))
    }

    pub(crate) fn try_get(&mut self, target: &str) -> io::Result<ClientResponse> {
        self.exchange("GET", target, "", b"")
    }

    pub(crate) fn exchange(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> io::Result<ClientResponse> {
        self.send(method, target, headers, body)?;
        let mut response = self.read_head()?;
        if method != "HEAD" && !matches!(response.status, 204 | 304) {
            response.body = self.read_body(&response)?;
        }
        Ok(response)
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

    pub(crate) fn read_head(&mut self) -> io::Result<ClientResponse> {
        let line = self.read_line()?;
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not HTTP: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Ok(ClientResponse {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// Reads until the connection ends. Returns the bytes and how it ended.
    pub(crate) fn read_rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut rest = Vec::new();
        let result = self.0.read_to_end(&mut rest).map(drop);
        (rest, result)
    }

    pub(crate) fn read_exact(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }

    fn read_body(&mut self, response: &ClientResponse) -> io::Result<Vec<u8>> {
        if let Some(length) = response.header("content-length") {
            return self.read_exact(length.parse().unwrap());
        }
        assert_eq!(response.header("transfer-encoding"), Some("chunked"));
        let mut body = Vec::new();
        loop {
            let chunk = self.read_chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    pub(crate) fn read_chunk(&mut self) -> io::Result<Vec<u8>> {
        let size = self.read_line()?;
        let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
        let chunk = self.read_exact(size)?;
        self.read_line()?;
        Ok(chunk)
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
