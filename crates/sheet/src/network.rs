//! Codes of networks, also those that a spreadsheet took the zeros of.

use domain::Network;

use crate::fault::Reason;
use crate::grid::Cell;

/// Words for all networks of a country.
const ALL: [&str; 11] =
    ["all", "*", "any", "default", "other", "others", "rest", "-", "n/a", "allnetworks", "all networks"];

/// Networks that one cell may list at most.
const LISTED_MAX: usize = 50;

/// What is known of networks: is there one of this code?
pub type Known<'a> = &'a dyn Fn(Network) -> bool;

/// A cell of codes as text: a number must be whole.
pub(crate) fn code(cell: &Cell) -> Result<Option<&str>, Reason> {
    match cell {
        Cell::Empty => Ok(None),
        Cell::Error(_) => Err(Reason::CellError),
        Cell::Date(_) => Err(Reason::CodeIsDecimal),
        Cell::Text(text) | Cell::Number(text) => {
            let text = text.trim_start_matches('\'').trim();
            let spoilt = text.contains(['.', ',']) && text.bytes().all(|b| b.is_ascii_digit() || b".,".contains(&b))
                || text.contains(['e', 'E']) && text.parse::<f64>().is_ok();
            let is_list = matches!(cell, Cell::Text(_)) && !text.contains('.') && !text.contains(['e', 'E']);
            if spoilt && !is_list { Err(Reason::CodeIsDecimal) } else { Ok(Some(text).filter(|text| !text.is_empty())) }
        }
    }
}

/// What a wrong code is told with.
pub(crate) type Refusal = (Reason, String);

fn plain(reason: Reason) -> Refusal {
    (reason, String::new())
}

/// The networks of two cells: none, all, or a list of MNCs of one country.
pub(crate) fn of_two(
    mcc: &str,
    mnc: Option<&str>,
    known: Known<'_>,
    digits: Option<u8>,
) -> Result<Vec<Network>, Refusal> {
    let country = Network::parse(mcc, None).map_err(|_| plain(Reason::MccInvalid))?;
    let Some(mnc) = mnc.filter(|mnc| !is_all(mnc)) else { return Ok(vec![country]) };
    let listed: Vec<&str> = mnc.split([',', ';', '/', '|', ' ']).map(str::trim).filter(|one| !one.is_empty()).collect();
    if listed.is_empty() || listed.len() > LISTED_MAX {
        return Err(plain(Reason::MncInvalid));
    }
    let mut networks: Vec<Network> = Vec::with_capacity(listed.len());
    for one in listed {
        let network = network(mcc, one, known, digits)?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Ok(networks)
}

/// The networks of a joint code: `43405`, `434-05`, `434 05`, `434`, `434*`.
pub(crate) fn of_joint(text: &str, known: Known<'_>, digits: Option<u8>) -> Result<Vec<Network>, Refusal> {
    let joint = plain(Reason::MccmncInvalid);
    let mcc = text.get(..3).filter(|mcc| mcc.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(|| joint.clone())?;
    let rest = text.get(3..).unwrap_or_default().trim_start_matches(['-', ' ', '_', '/', '.', ':']).trim();
    let good = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit())
        || is_all(rest)
        || rest == "x"
        || rest == "xx";
    if !good {
        return Err(joint);
    }
    let is_network = rest.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty();
    of_two(mcc, Some(rest).filter(|_| is_network), known, digits)
}

fn is_all(text: &str) -> bool {
    ALL.contains(&text.to_lowercase().as_str())
}

/// One network. A code that is not known as it stands may have lost its zeros: of the codes that it can be, exactly
/// one must be known; or the mapping says how many digits there are.
fn network(mcc: &str, mnc: &str, known: Known<'_>, digits: Option<u8>) -> Result<Network, Refusal> {
    if !(1..=3).contains(&mnc.len()) || !mnc.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(plain(Reason::MncInvalid));
    }
    let as_written = Network::parse(mcc, Some(mnc)).ok();
    let tail =
        mnc.strip_prefix('0').filter(|tail| tail.len() == 2).and_then(|tail| Network::parse(mcc, Some(tail)).ok());
    if let Some(tail) = tail.filter(|tail| known(*tail) && !as_written.is_some_and(known)) {
        let hint = || format!("it may be {tail}");
        return if digits == Some(2) { Ok(tail) } else { Err((Reason::MncPadded, hint())) };
    }
    if let Some(network) = as_written.filter(|network| mnc.len() == 3 || known(*network)) {
        return Ok(network);
    }
    let widths = mnc.len().max(1) + 1..=3;
    let padded: Vec<Network> =
        widths.filter_map(|width| Network::parse(mcc, Some(&format!("{mnc:0>width$}"))).ok()).collect();
    let fitting: Vec<Network> = padded.iter().copied().filter(|network| known(*network)).collect();
    let width = digits.map(usize::from).filter(|width| *width > mnc.len());
    let told = width.and_then(|width| Network::parse(mcc, Some(&format!("{mnc:0>width$}"))).ok());
    match (fitting.as_slice(), told, as_written) {
        ([only], _, _) => Ok(*only),
        (_, Some(told), _) => Ok(told),
        ([], None, Some(network)) => Ok(network),
        _ => {
            let names: Vec<String> = padded.iter().map(ToString::to_string).collect();
            Err((Reason::MncLostZero, format!("it may be {}", names.join(" or "))))
        }
    }
}
