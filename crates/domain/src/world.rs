//! The world's numbering plan: countries, networks and prefixes, as a fresh installation knows them.
//!
//! The data, where it comes from and under which licences it may be passed on lie in `data/`. It is read once in a
//! process, in a few milliseconds, and never changes; what an installation says itself goes before it.

use std::sync::LazyLock;

use crate::network::{Mcc, Network};
use crate::prefix::PrefixTrie;

/// What everybody reads.
static WORLD: LazyLock<World> = LazyLock::new(World::read);

/// A country, or the networks of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2; empty for international networks.
    pub iso: &'static str,
    /// In English.
    pub name: &'static str,
    /// Its mobile country codes; prefixes lead to the first.
    pub mccs: Vec<Mcc>,
    /// The calling code (ITU-T E.164); empty for international networks, which have several.
    pub calling_code: &'static str,
}

/// A network with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// MCC and MNC.
    pub network: Network,
    /// The brand, as customers know it.
    pub name: &'static str,
}

/// The world's numbering plan.
#[derive(Debug)]
pub struct World {
    countries: Vec<Country>,
    /// Sorted by network.
    networks: Vec<Named>,
    prefixes: PrefixTrie,
    prefix_count: usize,
}

/// The plan that this version of the platform came with.
pub fn world() -> &'static World {
    &WORLD
}

impl World {
    fn read() -> Self {
        let mut world = Self {
            countries: lines(include_str!("../data/countries.csv")).filter_map(country).collect(),
            networks: lines(include_str!("../data/networks.csv")).filter_map(named).collect(),
            prefixes: PrefixTrie::default(),
            prefix_count: 0,
        };
        world.networks.sort_by_key(|named| named.network);
        for (prefix, network) in lines(include_str!("../data/prefixes.csv")).filter_map(|line| line.split_once(',')) {
            let Ok(network) = network.parse() else { continue };
            world.prefix_count += usize::from(world.prefixes.insert(prefix, network));
        }
        world
    }

    /// Where a number belongs, by the longest prefix; `None` where no country has its calling code.
    pub fn network(&self, number: u64) -> Option<Network> {
        self.prefixes.longest(number)
    }

    /// Every country.
    pub fn countries(&self) -> &[Country] {
        &self.countries
    }

    /// Every network that has a name, in order of MCC and MNC.
    pub fn networks(&self) -> &[Named] {
        &self.networks
    }

    /// Prefixes in the plan.
    pub fn prefix_count(&self) -> usize {
        self.prefix_count
    }

    /// The country of an MCC.
    pub fn country(&self, mcc: Mcc) -> Option<&Country> {
        self.countries.iter().find(|country| country.mccs.contains(&mcc))
    }

    /// The name of a network; `None` for a country, and where nobody knows it.
    pub fn name(&self, network: Network) -> Option<&'static str> {
        let at = self.networks.binary_search_by_key(&network, |named| named.network).ok()?;
        Some(self.networks[at].name)
    }
}

fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.is_empty())
}

/// Reads `UZ,Uzbekistan,434,998`.
fn country(line: &'static str) -> Option<Country> {
    let (iso, rest) = line.split_once(',')?;
    let (rest, calling_code) = rest.rsplit_once(',')?;
    let (name, mccs) = rest.rsplit_once(',')?;
    let mccs = mccs.split(' ').filter_map(|mcc| mcc.parse().ok()).collect();
    Some(Country { iso, name: unquoted(name), mccs, calling_code })
}

/// Reads `43405,Ucell`.
fn named(line: &'static str) -> Option<Named> {
    let (network, name) = line.split_once(',')?;
    Some(Named { network: network.parse().ok()?, name: unquoted(name) })
}

/// A name that has a comma stands in quotes; none has a quote inside.
fn unquoted(name: &'static str) -> &'static str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number and where it belongs: network (or country), country's ISO code, network's name.
    type Row = (u64, Option<(&'static str, &'static str, Option<&'static str>)>);

    #[test]
    fn numbers_belong_to_networks_and_countries() {
        let rows: [Row; 22] = [
            (998_901_234_567, Some(("43404", "UZ", Some("Beeline")))),
            (998_931_234_567, Some(("43405", "UZ", Some("Ucell")))),
            (998_981_234_567, Some(("43406", "UZ", Some("Perfectum")))),
            (998_971_234_567, Some(("43407", "UZ", Some("Mobiuz")))),
            (998_991_234_567, Some(("43408", "UZ", Some("Uzmobile")))),
            (998_331_234_567, Some(("434", "UZ", None))),
            (12_025_550_100, Some(("310", "US", None))),
            (14_165_550_100, Some(("302", "CA", None))),
            (18_765_550_100, Some(("338", "JM", None))),
            (77_011_234_567, Some(("40102", "KZ", Some("Kcell/activ")))),
            (79_991_234_567, Some(("250", "RU", None))),
            (447_781_000_000, Some(("234", "GB", None))),
            (3_906_698_123_456, Some(("222", "IT", None))),
            (393_331_234_567, Some(("222", "IT", None))),
            (35_818_123_456, Some(("244", "FI", None))),
            (38_344_123_456, Some(("221", "XK", None))),
            (2_126_123_456_789, Some(("604", "MA", None))),
            (8_821_234_567_890, Some(("901", "", None))),
            (88_812_345_678, None),
            (8_001_234_567, None),
            (9_991_234_567, None),
            (21_012_345_678, None),
        ];
        for (number, expected) in rows {
            let found = world().network(number);
            let country = found.and_then(|network| world().country(network.mcc));
            let named = found.and_then(|network| world().name(network));
            let mcc = |network: Network| network.mcc.to_string();
            match expected {
                None => assert_eq!(found, None, "{number}"),
                // Of a number's country we are sure; its block may have a network where none is named here.
                Some((place, iso, None)) => {
                    assert_eq!(found.map(mcc).as_deref(), Some(&place[..3]), "{number}");
                    assert_eq!(country.map(|c| c.iso), Some(iso), "{number}");
                }
                Some((place, iso, name)) => {
                    assert_eq!(found.map(|n| n.to_string()).as_deref(), Some(place), "{number}");
                    assert_eq!((country.map(|c| c.iso), named), (Some(iso), name), "{number}");
                }
            }
        }
    }

    #[test]
    fn every_row_is_read_and_every_country_can_be_reached() {
        let world = world();
        let rows = |file: &str| file.lines().count();
        assert_eq!(world.countries().len(), rows(include_str!("../data/countries.csv")));
        assert_eq!(world.networks().len(), rows(include_str!("../data/networks.csv")));
        assert_eq!(world.prefix_count(), rows(include_str!("../data/prefixes.csv")));
        for country in world.countries() {
            assert!(!country.mccs.is_empty() && !country.name.is_empty(), "{country:?}");
            if !country.calling_code.is_empty() {
                let digits: String = format!("{}{:0<14}", country.calling_code, "").chars().take(14).collect();
                assert!(world.network(digits.parse().unwrap()).is_some(), "{country:?}");
            }
        }
        for named in world.networks() {
            assert!(world.country(named.network.mcc).is_some() && !named.name.is_empty(), "{named:?}");
        }
    }
}
