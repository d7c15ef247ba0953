//! What an upload leaves out.

/// Whether `path`, or a folder that holds it, fits one of the patterns: by its name, or by its path where the
/// pattern has a `/`.
pub fn excluded(patterns: &[String], path: &str) -> bool {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let folders: Vec<&str> = ends.map(|end| &path[..end]).collect();
    patterns.iter().any(|pattern| {
        let pattern = pattern.trim_matches('/');
        folders.iter().any(|folder| {
            let text = if pattern.contains('/') { folder } else { folder.rsplit('/').next().unwrap_or(folder) };
            fits(pattern.as_bytes(), text.as_bytes())
        })
    })
}

/// `*` is any text without `/`, `?` one byte that is not `/`. Remembers the last `*` instead of trying all ways.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == text[t] || (byte == b'?' && text[t] != b'/') => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) if text[from] != b'/' => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::excluded;

    #[test]
    fn names_fit_at_any_depth_and_paths_from_the_top() {
        let fits = |pattern: &str, path: &str| excluded(&[pattern.to_owned()], path);
        for (pattern, path) in [
            ("*.pyc", "a/b/c.pyc"),
            ("__pycache__", "a/__pycache__/b.txt"),
            (".git", ".git"),
            ("media/cache", "media/cache/x"),
            ("media/*.tmp", "media/a.tmp"),
            ("a?c*e", "abcdde"),
            ("node_modules/", "x/node_modules"),
            ("*a*b", "xaxbxaxb"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*.pyc", "a.py"),
            (".git", ".gitignore"),
            ("media/cache", "x/media/cache"),
            ("media/*.tmp", "media/x/a.tmp"),
            ("a?c", "ac"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }
}
