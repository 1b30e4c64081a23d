//! Any query: its names and values become a request that can be planned, or a refusal in words.
#![no_main]

use audiomill::http::request::form;
use audiomill::media::Catalog;
use audiomill::media::options::parse;
use audiomill::media::plan::plan_options;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let pairs = form::parse(text);
    let given = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    match parse(None, given) {
        Ok(request) => {
            let entry = Catalog::of_this_build().entry(request.format);
            if let Err(unsupported) = plan_options(&request, entry) {
                assert!(!unsupported.message.is_empty());
            }
        }
        Err(error) => assert!(error.to_string().len() < 2000),
    }
});
