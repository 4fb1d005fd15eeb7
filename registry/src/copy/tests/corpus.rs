//! Manifests of all kinds: copied byte for byte, or refused with a reason.

use bytes::Bytes;

use super::memory::Memory;
use super::sample::{CONFIG, LAYER, Sample, blob, index, json};
use super::{copy, layout, tag};
use crate::copy::CopyOptions;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::reference::Selector;
use crate::store::Store as _;

/// A small generator, the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn space(&mut self) -> &'static str {
        self.pick(&["", " ", "\n", "\t", "\r\n", "      ", "\n\n\n"])
    }
}

const UNKNOWN: [&str; 8] = [
    r#""annotations":{"manifests":"not these","é\u00e9":"\ud83d\ude00"},"#,
    r#""x-acme":[[[{"layers":[]}]]],"#,
    r#""number":123456789012345678901234567890.5e-3,"#,
    r#""artifactType":"application/vnd.acme+json","#,
    r#""artifactType":null,"#,
    r#""LAYERS":"upper case","#,
    r#""":"","#,
    "",
];

/// What makes some of them invalid, each refused for what it is.
const WRONG: [&str; 4] = [
    r#""manifests":[],"#,
    r#""subject":5,"#,
    r#""blobs":[{"digest":"sha256:short","size":1}],"#,
    r#""fsLayers":[],"#,
];

fn image(dice: &mut Dice, number: usize) -> Sample {
    let config = blob(CONFIG, &format!("config {number}"));
    let media_type =
        dice.pick(&[MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST, "application/vnd.acme"]);
    let mut blobs = vec![config.clone()];
    let mut layers = Vec::new();
    for layer in 0..dice.roll(4) {
        let mut layer = blob(dice.pick(&[LAYER, "", "application/x"]), &format!("layer {layer}"));
        if dice.roll(4) == 0 {
            layer.0.digest = Digest::sha512(&layer.1);
        }
        layers.push(json(&layer.0, dice.pick(&["", ",\"urls\":[\"https://example.com\"]"])));
        blobs.push(layer);
    }
    let wrong = if dice.roll(6) == 0 { dice.pick(&WRONG) } else { "" };
    let padding = if number % 90 == 89 { "p".repeat(5 << 20) } else { String::new() };
    let own = match dice.roll(3) {
        0 => String::new(),
        _ => format!("\"mediaType\"{}:{}\"{media_type}\",", dice.space(), dice.space()),
    };
    let body = format!(
        "{}{{{}{own}{wrong}\"schemaVersion\":2,\"padding\":\"{padding}\",{}\"layers\":{}[{}]{},\
         \"config\":{}{}}}{}",
        dice.space(),
        dice.space(),
        dice.pick(&UNKNOWN),
        dice.space(),
        layers.join(","),
        dice.space(),
        json(&config.0, ""),
        dice.space(),
        dice.space(),
    );
    Sample { manifests: vec![received(&body, media_type, dice)], blobs }
}

fn received(body: &str, media_type: &str, dice: &mut Dice) -> Manifest {
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    let digest = if dice.roll(4) == 0 { Digest::sha512(&bytes) } else { Digest::sha256(&bytes) };
    Manifest::received(bytes, media_type, Some(&digest)).expect("a manifest")
}

fn sample(dice: &mut Dice, number: usize) -> Sample {
    let mut sample = image(dice, number);
    for _ in 0..dice.roll(3) {
        let other = image(dice, number + 1000);
        sample = index(&[(&sample, ""), (&other, r#","x":1"#)], dice.pick(&["", ",\"y\":[]"]));
    }
    sample
}

/// Into `source`, whatever it is.
fn plant(sample: &Sample, source: &Memory) {
    let mut state = source.state();
    for manifest in &sample.manifests {
        state.manifests.insert(manifest.digest().clone(), manifest.clone());
    }
    for (Descriptor { digest, .. }, content) in &sample.blobs {
        state.blobs.insert(digest.clone(), content.clone());
    }
    state.tags.insert(tag("1"), sample.digest().clone());
}

#[tokio::test]
async fn edges_1_7_10_11_every_manifest_is_copied_byte_for_byte_or_refused() {
    let mut dice = Dice(42);
    let (_dir, directory) = layout();
    let (mut copied_ones, mut refused, mut large, mut sha512) = (0, 0, 0, 0);
    for number in 0..280 {
        let sample = sample(&mut dice, number);
        let (source, sink) = (Memory::new(), Memory::new());
        plant(&sample, &source);
        let (_, copied) = match copy(&source, &[&sink], &CopyOptions::default()).await {
            Ok(copied) => copied,
            Err(error) => {
                assert!(error.to_string().contains("sha"), "it is named: {error}");
                assert_eq!(sink.state().log.len(), 0);
                refused += 1;
                continue;
            }
        };
        assert!(copied.failures.is_empty(), "{number}: {:?}", copied.failures);
        super::assert_same(&sink, &sample);
        assert_eq!(sink.state().tags[&tag("app")], *sample.digest());
        copied_ones += 1;
        large += usize::from(sample.manifests.iter().any(|it| it.bytes().len() > 4 << 20));
        let is_sha512 = |it: &Manifest| it.digest().algorithm() == "sha512";
        sha512 += usize::from(sample.manifests.iter().any(is_sha512));
        if number % 10 == 9 {
            let (_, copied) =
                copy(&source, &[&directory], &CopyOptions::default()).await.expect("read");
            assert!(copied.failures.is_empty(), "{number}: {:?}", copied.failures);
            let found = directory.get(&Selector::Tag(tag("app"))).await.expect("read");
            assert_eq!(found.as_ref(), Some(sample.root()));
        }
    }
    assert!(copied_ones > 150 && refused > 30, "{copied_ones} copied, {refused} refused");
    assert!(large > 1 && sha512 > 30, "{large} large, {sha512} by sha512");
}
