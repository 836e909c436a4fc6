//! A trace collector on loopback. It also answers the HTTP requests of extensions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that has arrived.
#[derive(Debug, Default)]
struct Arrived {
    spans: Vec<Span>,
    resources: Vec<Vec<KeyValue>>,
    sent: Vec<(String, HashMap<String, String>)>,
    asked: Vec<HashMap<String, String>>,
    /// The refusal that the collector answers to spans; `None` accepts them.
    refusal: Option<&'static str>,
}

/// Accepts spans at any path that ends in `/traces`. It answers every other request with the status at the
/// end of the path, as in `/status/503`, or with 200.
#[derive(Debug, Clone)]
pub struct Collector {
    /// The address that it listens on.
    pub url: String,
    arrived: Arc<Mutex<Arrived>>,
}

impl Collector {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let collector = Self { url, arrived: Arc::default() };
        let serving = collector.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, serving.arrived.clone()));
            }
        });
        collector
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).spans.clone()
    }

    /// The resource attributes of each batch of spans.
    pub fn resources(&self) -> Vec<Vec<KeyValue>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).resources.clone()
    }

    /// Path and headers of each request with spans, accepted or refused.
    pub fn sent(&self) -> Vec<(String, HashMap<String, String>)> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).sent.clone()
    }

    /// Refuses spans from now on with this status and these headers (`429 Too Many Requests\r\nretry-after: 1`);
    /// `None` accepts them again.
    pub fn refuse(&self, with: Option<&'static str>) {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).refusal = with;
    }

    /// The headers of all other requests.
    pub fn asked(&self) -> Vec<HashMap<String, String>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }

    /// Waits until the condition holds for all spans so far, and returns them.
    ///
    /// # Panics
    /// When it does not hold in time.
    pub async fn until(&self, are_there: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let begun = std::time::Instant::now();
        loop {
            let spans = self.spans();
            if are_there(&spans) {
                return spans;
            }
            let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
            assert!(begun.elapsed() < PATIENCE, "the spans have not arrived: {names:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A text attribute.
pub fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value {
        AnyValue { value: Some(any_value::Value::StringValue(text)) } => Some(text),
        _ => None,
    }
}

/// A number attribute.
pub fn number(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value {
        Some(any_value::Value::IntValue(number)) => Some(number),
        _ => None,
    }
}

async fn serve(connection: TcpStream, arrived: Arc<Mutex<Arrived>>) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    loop {
        let mut first = String::new();
        if connection.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        let path = first.split(' ').nth(1).unwrap_or_default();
        let status = arrived.lock().unwrap_or_else(PoisonError::into_inner).take(path, headers, body);
        connection.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await?;
    }
}

impl Arrived {
    /// Records a request and returns the status of its answer.
    fn take(&mut self, path: &str, headers: HashMap<String, String>, body: Vec<u8>) -> String {
        if !path.ends_with("/traces") {
            self.asked.push(headers);
            let status = path.rsplit_once("/status/").map(|(_, status)| status);
            return format!("{} As Asked", status.unwrap_or("200"));
        }
        let zipped = headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip");
        self.sent.push((path.to_owned(), headers));
        if let Some(refusal) = self.refusal {
            return refusal.to_owned();
        }
        let body = if zipped { unzipped(&body) } else { body };
        let sent = ExportTraceServiceRequest::decode(&*body).expect("it is a request of OTLP");
        for of in sent.resource_spans {
            self.resources.extend(of.resource.map(|resource| resource.attributes));
            self.spans.extend(of.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        "200 OK".to_owned()
    }
}

fn unzipped(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(body), &mut plain).expect("it is gzip");
    plain
}
