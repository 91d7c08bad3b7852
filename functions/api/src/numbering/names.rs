//! What networks and countries are called, beside their codes: by the world's numbering plan.

use domain::Network;
use domain::world::world;
use serde::Serialize;
use utoipa::ToSchema;

/// The names of a network and its country.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NetworkNames)]
pub(crate) struct Names {
    /// How the network is called; null: a country as a whole, or nobody knows.
    #[schema(example = "Ucell")]
    network: Option<&'static str>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "UZ")]
    country: Option<&'static str>,
    /// In English.
    #[schema(example = "Uzbekistan")]
    country_name: Option<&'static str>,
}

impl Names {
    /// The names of a network, or a country; nothing where there is none.
    pub(crate) fn of(network: Option<Network>) -> Self {
        let country = network.and_then(|network| world().country(network.mcc));
        Self {
            network: network.and_then(|network| world().name(network)),
            country: country.map(|country| country.iso),
            country_name: country.map(|country| country.name),
        }
    }
}
