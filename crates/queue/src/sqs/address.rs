//! The URL of queues on SQS.

use url::Url;

/// The longest prefix, so that names of ours fit into the 80 characters that SQS allows.
const PREFIX_BYTES_MAX: usize = 24;

/// Where the queues lie: `sqs://<region>/<prefix>[?topics=<prefix of topic ARNs>][&endpoint=<URL>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) region: String,
    pub(super) prefix: String,
    /// News go to the topics `<topics>-billing` and `<topics>-messaging`.
    pub(super) topics: Option<String>,
    /// A server that is not Amazon's.
    pub(super) endpoint: Option<String>,
}

/// Why a URL names no queues. No URL is shown, as elsewhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("it is not a URL")]
    Url(#[from] url::ParseError),
    #[error("the region is missing: sqs://<region>/<prefix>")]
    Region,
    #[error("the prefix must be 1 to {PREFIX_BYTES_MAX} characters of A-Z a-z 0-9 _ -: sqs://<region>/<prefix>")]
    Prefix,
    #[error("topics must be the beginning of an ARN: arn:aws:sns:<region>:<account>:<prefix>")]
    Topics,
    #[error("endpoint must be a URL of http or https")]
    Endpoint,
    #[error("parameter {0:?} is unknown; topics and endpoint are known")]
    Parameter(String),
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, AddressError> {
        let url = Url::parse(url)?;
        let region = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError::Region)?.to_owned();
        let prefix = url.path().trim_matches('/').to_owned();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=PREFIX_BYTES_MAX).contains(&prefix.len()) || !prefix.bytes().all(is_plain) {
            return Err(AddressError::Prefix);
        }
        let mut address = Self { region, prefix, topics: None, endpoint: None };
        for (name, value) in url.query_pairs() {
            match &*name {
                "topics" if value.starts_with("arn:") => address.topics = Some(value.into_owned()),
                "topics" => return Err(AddressError::Topics),
                "endpoint" if value.starts_with("http://") || value.starts_with("https://") => {
                    address.endpoint = Some(value.into_owned());
                }
                "endpoint" => return Err(AddressError::Endpoint),
                other => return Err(AddressError::Parameter(other.to_owned())),
            }
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_region_and_prefix() {
        let address = |topics: Option<&str>, endpoint: Option<&str>| Address {
            region: "eu-central-1".to_owned(),
            prefix: "chappe-prod".to_owned(),
            topics: topics.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
        };
        let arn = "arn:aws:sns:eu-central-1:1:chappe";
        let rows = [
            ("sqs://eu-central-1/chappe-prod", Ok(address(None, None))),
            ("sqs://eu-central-1/chappe-prod/", Ok(address(None, None))),
            ("sqs://eu-central-1/chappe-prod?topics=arn:aws:sns:eu-central-1:1:chappe", Ok(address(Some(arn), None))),
            (
                "sqs://eu-central-1/chappe-prod?endpoint=http://127.0.0.1:5000",
                Ok(address(None, Some("http://127.0.0.1:5000"))),
            ),
            ("sqs://eu-central-1", Err(AddressError::Prefix)),
            ("sqs://eu-central-1/a/b", Err(AddressError::Prefix)),
            ("sqs://eu-central-1/with.dot", Err(AddressError::Prefix)),
            ("sqs:///chappe", Err(AddressError::Region)),
            ("sqs://eu-central-1/a?topics=chappe", Err(AddressError::Topics)),
            ("sqs://eu-central-1/a?endpoint=127.0.0.1", Err(AddressError::Endpoint)),
            ("sqs://eu-central-1/a?wait=3", Err(AddressError::Parameter("wait".to_owned()))),
        ];
        for (url, expected) in rows {
            assert_eq!(Address::parse(url), expected, "{url}");
        }
    }
}
