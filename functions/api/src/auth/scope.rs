//! What credentials allow. The role of the account bounds it from the other side.

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $bit:literal, $changes:literal;)*) => {
        /// One permission.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Scope { $($(#[$doc])* $variant,)* }

        impl Scope {
            /// Every scope.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in answers and in the database.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Does it change anything?
            pub(crate) const fn changes(self) -> bool {
                match self { $(Self::$variant => $changes,)* }
            }

            const fn bit(self) -> u16 {
                match self { $(Self::$variant => 1 << $bit,)* }
            }
        }
    };
}

scopes! {
    /// Send messages. Sending itself refuses suspended accounts.
    MessagesWrite = "messages:write", 0, false;
    /// Read messages and their events.
    MessagesRead = "messages:read", 1, false;
    /// Read the balance.
    BalanceRead = "balance:read", 2, false;
    /// Read sender IDs, keys, users, prices and the own account.
    AccountRead = "account:read", 3, false;
    /// Register sender IDs, make and revoke keys, read the webhook secret.
    AccountWrite = "account:write", 4, true;
    /// Read what a reseller or the house manages: accounts, plans, operators, rates, prefixes.
    AdminRead = "admin:read", 5, false;
    /// Change it.
    AdminWrite = "admin:write", 6, true;
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scopes(u16);

impl Scopes {
    /// What a person may who logs in.
    pub(crate) const ALL: Self = Self(u16::MAX);
    /// What a key may when nothing was asked for.
    pub(crate) const DEFAULT: Self =
        Self(Scope::MessagesWrite.bit() | Scope::MessagesRead.bit() | Scope::BalanceRead.bit());

    /// Is `scope` in it?
    pub(crate) const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Is every scope of `other` in it?
    pub(crate) const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds a scope.
    pub(crate) const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// From stored names; names that this version does not know give nothing.
    pub(crate) fn from_names(names: &[String]) -> Self {
        names.iter().filter_map(|name| parse(name)).fold(Self::default(), Self::with)
    }

    /// The names, in their order.
    pub(crate) fn names(self) -> Vec<String> {
        Scope::ALL.iter().filter(|scope| self.has(**scope)).map(|scope| scope.name().to_owned()).collect()
    }
}

/// The scope of this name.
pub(crate) fn parse(name: &str) -> Option<Scope> {
    Scope::ALL.iter().copied().find(|scope| scope.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for scope in Scope::ALL {
            assert_eq!(parse(scope.name()), Some(*scope));
        }
        let names = Scopes::DEFAULT.names();
        assert_eq!(names, ["messages:write", "messages:read", "balance:read"]);
        assert_eq!(Scopes::from_names(&names), Scopes::DEFAULT);
        assert!(Scopes::ALL.covers(Scopes::DEFAULT) && !Scopes::DEFAULT.covers(Scopes::ALL));
    }
}
