//! Longest-prefix match from number to network: a digit trie in one vector.

use crate::network::Network;

/// Nodes a trie may have; about a hundred times the world's numbering plan.
const NODES_MAX: usize = 4_000_000;
/// "No child here": the root is nobody's child.
const NONE: u32 = 0;

#[derive(Debug, Clone)]
struct Node {
    children: [u32; 10],
    network: Option<Network>,
}

const EMPTY: Node = Node { children: [NONE; 10], network: None };

/// From number prefix to network.
#[derive(Debug, Clone)]
pub struct PrefixTrie {
    nodes: Vec<Node>,
}

impl Default for PrefixTrie {
    fn default() -> Self {
        Self { nodes: vec![EMPTY] }
    }
}

impl PrefixTrie {
    /// Adds a prefix of digits; the last one given wins. Text that is not digits, and a prefix beyond the
    /// bound of nodes, are not added: `false`.
    pub fn insert(&mut self, prefix: &str, network: Network) -> bool {
        if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        let mut at = 0;
        for byte in prefix.bytes() {
            let digit = usize::from(byte - b'0');
            if self.nodes[at].children[digit] == NONE {
                let Ok(next) = u32::try_from(self.nodes.len()) else { return false };
                if self.nodes.len() >= NODES_MAX {
                    return false;
                }
                self.nodes.push(EMPTY);
                self.nodes[at].children[digit] = next;
            }
            at = index(self.nodes[at].children[digit]);
        }
        self.nodes[at].network = Some(network);
        true
    }

    /// The network of the longest prefix of `number`.
    pub fn longest(&self, number: u64) -> Option<Network> {
        let (digits, length) = digits_of(number);
        let mut at = 0;
        let mut best = None;
        for &digit in digits[..length].iter().rev() {
            let next = self.nodes[at].children[usize::from(digit)];
            if next == NONE {
                break;
            }
            at = index(next);
            best = self.nodes[at].network.or(best);
        }
        best
    }
}

fn index(node: u32) -> usize {
    usize::try_from(node).unwrap_or(0)
}

/// The decimal digits of `number`, least significant first, and how many they are.
fn digits_of(mut number: u64) -> ([u8; 20], usize) {
    let mut digits = [0; 20];
    let mut length = 0;
    while number > 0 {
        digits[length] = u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        length += 1;
    }
    (digits, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let mut trie = PrefixTrie::default();
        for (prefix, network) in [("998", "434"), ("99890", "43404"), ("99893", "43405"), ("998901", "43408")] {
            assert!(trie.insert(prefix, network.parse().unwrap()));
        }
        assert!(!trie.insert("99x", "434".parse().unwrap()));
        let rows = [
            (998_901_234_567, Some("43408")),
            (998_902_234_567, Some("43404")),
            (998_931_234_567, Some("43405")),
            (998_711_234_567, Some("434")),
            (79_991_234_567, None),
            (99, None),
        ];
        for (number, expected) in rows {
            assert_eq!(trie.longest(number).map(|n| n.to_string()), expected.map(String::from), "{number}");
        }
    }
}
