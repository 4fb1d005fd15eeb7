use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use crate::digest::Digest;
use crate::fake::testing::{call, exchange, fake, send};
use crate::fake::{Answer, FakeRegistry, Fault, FaultRule};

const MANIFEST: &str = "/v2/app/manifests/1";
const TYPE: [(&str, &str); 1] = [("Content-Type", "application/vnd.acme.thing")];

fn seeded() -> (FakeRegistry, Digest) {
    let fake = fake();
    let digest = fake.seed_image("app", "1", &["linux/amd64"]);
    (fake, digest)
}

#[test]
fn an_answer_of_the_test_s_own_replaces_the_registry_s() {
    let (fake, _) = seeded();
    let busy = Answer::new(429).header("Retry-After", "7").body("text/plain", "slow down");
    fake.fail(FaultRule::on("PUT", "/manifests/", Fault::Answer(busy)));
    fake.fail(FaultRule::on("GET", "/tags/", Fault::Answer(Answer::html(502))));
    let put = call(&fake, "PUT", "/v2/app/manifests/2", &TYPE, b"{}");
    assert_eq!((put.status, put.header("retry-after")), (429, Some("7")));
    assert_eq!(
        (put.header("content-type"), put.text().as_str()),
        (Some("text/plain"), "slow down")
    );
    assert_eq!(fake.tags("app").len(), 1);
    let list = call(&fake, "GET", "/v2/app/tags/list", &[], b"");
    assert_eq!((list.status, list.header("content-type")), (502, Some("text/html")));
    assert_eq!(fake.pending_faults(), 0);
    assert_eq!(call(&fake, "PUT", "/v2/app/manifests/2", &TYPE, b"{}").status, 201);
}

#[test]
fn a_reset_is_a_reset_and_nothing_happened() {
    let (fake, _) = seeded();
    fake.fail(FaultRule::next(Fault::Reset));
    let lost = exchange(&fake, "PUT", "/v2/app/manifests/2", &TYPE, b"{}");
    assert_eq!(lost.expect_err("no answer").kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(fake.tags("app").len(), 1);
    assert_eq!(fake.requests()[0].status, None);
    assert_eq!(call(&fake, "GET", MANIFEST, &[], b"").status, 200);
}

#[test]
fn a_lost_answer_is_a_reset_after_the_fact() {
    let (fake, _) = seeded();
    fake.fail(FaultRule::next(Fault::AnswerLost));
    let lost = exchange(&fake, "PUT", "/v2/app/manifests/2", &TYPE, b"{}");
    assert_eq!(lost.expect_err("no answer").kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(fake.tags("app").len(), 2);
    let request = &fake.requests()[0];
    assert_eq!((request.status, request.body_bytes), (None, 2));
}

#[test]
fn a_truncated_answer_states_more_than_it_sends() {
    let (fake, digest) = seeded();
    let whole = fake.manifest("app", &digest).expect("it was seeded").bytes;
    fake.fail(FaultRule::next(Fault::Truncate));
    let cut = call(&fake, "GET", MANIFEST, &[], b"");
    assert_eq!(cut.status, 200);
    assert_eq!(cut.header("content-length"), Some(whole.len().to_string().as_str()));
    assert_eq!(cut.body, whole[..whole.len() / 2]);
    assert_eq!(fake.requests()[0].response_bytes, cut.body.len() as u64);
}

#[test]
fn a_large_body_is_truncated_too() {
    let fake = fake();
    let digest = fake.put_blob("app", vec![7; 8 << 20]);
    fake.fail(FaultRule::on("GET", "/blobs/", Fault::Truncate));
    let cut = call(&fake, "GET", &format!("/v2/app/blobs/{digest}"), &[], b"");
    assert!(!cut.body.is_empty() && cut.body.len() <= 4 << 20, "{}", cut.body.len());
}

#[test]
fn the_digest_header_may_be_wrong_or_missing() {
    let (fake, digest) = seeded();
    fake.fail(FaultRule::nth(0, Fault::WrongDigestHeader));
    fake.fail(FaultRule::nth(1, Fault::MissingDigestHeader));
    fake.fail(FaultRule::nth(2, Fault::SetHeader("Warning".into(), "299 - \"x\"".into())));
    let header = |name| {
        let answer = call(&fake, "HEAD", MANIFEST, &[], b"");
        assert_eq!(answer.status, 200);
        answer.header(name).map(str::to_owned)
    };
    let wrong = header("docker-content-digest").expect("a digest");
    assert!(wrong.parse::<Digest>().is_ok_and(|wrong| wrong != digest), "{wrong}");
    assert_eq!(header("docker-content-digest"), None);
    assert_eq!(header("warning").as_deref(), Some("299 - \"x\""));
    assert_eq!(header("docker-content-digest").as_deref(), Some(digest.as_str()));
}

#[test]
fn somebody_else_may_move_a_tag_first() {
    let (fake, _) = seeded();
    let digest = Digest::sha256(b"{}");
    let repository = "app".to_owned();
    let tag = "2".parse().expect("a tag");
    fake.fail(FaultRule::next(Fault::Retag { repository, tag, digest: digest.clone() }));
    let list = call(&fake, "GET", "/v2/app/tags/list", &[], b"");
    assert_eq!(list.json()["tags"], serde_json::json!(["1", "2"]));
    assert!(fake.tags("app").values().any(|target| *target == digest));
}

#[test]
fn a_stalled_request_ends_with_the_registry() {
    let (fake, _) = seeded();
    fake.fail(FaultRule::on("GET", "/tags/", Fault::Stall));
    let mut stalled = send(&fake, "GET", "/v2/app/tags/list", &[], b"").expect("it listens");
    while fake.requests().is_empty() {
        std::thread::yield_now();
    }
    // Others are served meanwhile.
    assert_eq!(call(&fake, "GET", MANIFEST, &[], b"").status, 200);
    assert_eq!(fake.requests()[0].status, None);
    drop(fake);
    let mut received = Vec::new();
    // An end or a reset, and never an answer.
    drop(stalled.read_to_end(&mut received));
    assert!(received.is_empty());
}

#[test]
fn requests_are_recorded_in_order_with_their_bytes() {
    let (fake, digest) = seeded();
    let size = fake.manifest("app", &digest).expect("it was seeded").bytes.len() as u64;
    call(&fake, "GET", "/v2/app/manifests/1?a=b", &[("Authorization", "Bearer secret")], b"");
    call(&fake, "HEAD", MANIFEST, &[], b"");
    call(&fake, "PUT", "/v2/app/manifests/2", &TYPE, b"{}");
    let requests = fake.requests();
    assert!(!format!("{requests:?}").contains("secret"));
    let seen: Vec<_> = requests
        .iter()
        .map(|r| (r.index, r.method.as_str(), r.status, r.body_bytes, r.response_bytes))
        .collect();
    let expected =
        [(0, "GET", Some(200), 0, size), (1, "HEAD", Some(200), 0, 0), (2, "PUT", Some(201), 2, 0)];
    assert_eq!(seen, expected);
    assert_eq!(requests[0].path, "/v2/app/manifests/1?a=b");
    assert_eq!(fake.count(|request| request.method == "PUT"), 1);
    fake.reset_counts();
    assert_eq!(fake.count(|_| true), 0);
}

#[test]
fn a_connection_serves_many_requests_until_the_registry_is_dropped() {
    let (fake, _) = seeded();
    let mut stream = TcpStream::connect(fake.address()).expect("it listens");
    for _ in 0..2 {
        stream.write_all(b"HEAD /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
        let mut head = [0; 17];
        stream.read_exact(&mut head).expect("it answers");
        assert_eq!(&head, b"HTTP/1.1 200 OK\r\n");
        while !head.ends_with(b"\r\n\r\n") {
            head.rotate_left(1);
            stream.read_exact(&mut head[16..]).expect("it goes on");
        }
    }
    drop(fake);
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
}
