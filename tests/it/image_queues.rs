//! What an image does to its message queue.

use std::time::Duration;

use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{Condition, ContainerDefinition, LogWait, Network, require_docker};
use plimsoll_tests::image::{DJANGO, RABBITMQ};

use crate::TestResult;
use crate::assert_services::NEVER;

/// A worker that declares its queues, in as much of AMQP 0-9-1 as that takes.
const WORKER: &str = r#"
import os, socket, struct, uuid

connection = socket.create_connection(("queue", 5672))

def short(text):
    return bytes([len(text)]) + text.encode()

def send(channel, kind, method, arguments):
    payload = struct.pack(">HH", kind, method) + arguments
    connection.sendall(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")

def receive(count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError("the broker has closed the connection")
        data += more
    return data

def expect(kind, method):
    _, _, size = struct.unpack(">BHI", receive(7))
    payload = receive(size + 1)
    assert struct.unpack(">HH", payload[:4]) == (kind, method), payload
    return payload[4:-1]

connection.sendall(b"AMQP\x00\x00\x09\x01")
expect(10, 10)
login = f"\0{os.environ['QUEUE_USER']}\0{os.environ['QUEUE_PASSWORD']}".encode()
plain = struct.pack(">I", 0) + short("PLAIN") + struct.pack(">I", len(login)) + login
send(0, 10, 11, plain + short("en_US"))
channels, frame, _ = struct.unpack(">HIH", expect(10, 30))
send(0, 10, 31, struct.pack(">HIH", channels, frame, 0))
send(0, 10, 40, short(os.environ["QUEUE_VHOST"]) + short("") + b"\0")
expect(10, 41)
send(1, 20, 10, short(""))
expect(20, 11)
for queue in ["cakes", f"cakes.{uuid.uuid4()}", f"cakes@{socket.gethostname()}.control"]:
    durable = 2
    send(1, 50, 10, b"\0\0" + short(queue) + bytes([durable]) + struct.pack(">I", 0))
    expect(50, 11)
"#;

#[tokio::test]
async fn a_worker_declares_its_three_queues() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("queues").await?;
    // Slow to start on a busy machine, and given the time.
    let ready = LogWait::stdout("Server startup complete").within(Duration::from_secs(180));
    let queue = ContainerDefinition::new("queue", RABBITMQ.ensure(&engine).await?)
        .env("RABBITMQ_DEFAULT_USER", "maria")
        .env("RABBITMQ_DEFAULT_PASS", "sugar")
        .env("RABBITMQ_DEFAULT_VHOST", "/bakery")
        .network(&network, ["queue"])
        .ready(ready)
        .start()
        .await?;
    let _worker = ContainerDefinition::new("worker", DJANGO.ensure(&engine).await?)
        .entrypoint(["python3", "-c", WORKER])
        .env("QUEUE_USER", "maria")
        .env("QUEUE_PASSWORD", "sugar")
        .env("QUEUE_VHOST", "/bakery")
        .network(&network, ["worker"])
        .ready(Condition::Exit(0).within(NEVER))
        .start()
        .await?;
    let list = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-qs", "list_queues", "-p", "/bakery", "name"];
    let listed = queue.exec(list).await?.success()?;
    let mut queues: Vec<_> = listed.stdout_text().lines().map(str::to_owned).collect();
    queues.sort();
    let expected = [r"^cakes$", r"^cakes\.[0-9a-f-]{36}$", r"^cakes@[0-9a-f]{12}\.control$"];
    assert_eq!(queues.len(), expected.len(), "{queues:?}");
    for (queue, pattern) in queues.iter().zip(expected) {
        assert!(matching(pattern).fits(queue.as_bytes()), "{queue} is not {pattern}");
    }
    Ok(())
}
