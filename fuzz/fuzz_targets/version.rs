#![no_main]
#![allow(missing_docs, reason = "the macro makes a function that is called by name")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_registry::fuzzing::version(data));
