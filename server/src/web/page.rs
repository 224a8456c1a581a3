//! The page's files, which whoever starts a server gives it: the library is built without them, so that it
//! can be built while they are, and is not built again when they change.

use crate::kernels::Example;
use sha1::{Digest, Sha1};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What stands for a file's content.
pub(super) type Hash = [u8; 20];

/// The files of a page, by their path in it, such as `js/main.js`.
#[derive(Clone, Debug, Default)]
pub struct Page(Files);

#[derive(Clone, Debug)]
enum Files {
    Packed(HashMap<&'static str, (&'static [u8], Hash)>),
    /// Read each time that they are asked for.
    Folder(PathBuf),
}

impl Default for Files {
    fn default() -> Files {
        Files::Packed(HashMap::new())
    }
}

/// Where the example kernels are among the files: `examples/NAME.wasm`.
const EXAMPLES: &str = "examples";

/// A pack that `cargo xtask` did not write, or not to its end.
#[derive(Debug, thiserror::Error)]
#[error("the page that was built into this program is damaged")]
pub struct Damaged;

/// A file of the page.
pub(super) struct File {
    pub(super) content: Cow<'static, [u8]>,
    pub(super) hash: Hash,
}

impl Page {
    /// Reads a pack, as `cargo xtask` writes it: for each file the lengths of its path and of its content,
    /// as 32 bits each, little end first, and then both. An empty pack has no files.
    ///
    /// Returns an error if that is not what it is.
    pub fn packed(mut pack: &'static [u8]) -> Result<Page, Damaged> {
        let mut files = HashMap::new();
        while !pack.is_empty() {
            let (path_length, content_length) = (take_length(&mut pack)?, take_length(&mut pack)?);
            let path = std::str::from_utf8(take(&mut pack, path_length)?).map_err(|_| Damaged)?;
            let content = take(&mut pack, content_length)?;
            files.insert(path, (content, Sha1::digest(content).into()));
        }
        Ok(Page(Files::Packed(files)))
    }

    /// A page that is read from a folder as it is asked for.
    pub fn folder(folder: impl Into<PathBuf>) -> Page {
        Page(Files::Folder(folder.into()))
    }

    /// The example kernels, by their names. None in a build that has no page either.
    pub fn examples(&self) -> Vec<Example> {
        let mut paths: Vec<String> = match &self.0 {
            Files::Packed(files) => files.keys().map(|path| (*path).to_owned()).collect(),
            Files::Folder(folder) => {
                let entries = fs::read_dir(folder.join(EXAMPLES)).into_iter().flatten().flatten();
                entries.map(|entry| format!("{EXAMPLES}/{}", entry.file_name().display())).collect()
            }
        };
        paths.sort_unstable();
        let examples = paths.iter().filter_map(|path| {
            let name = path.strip_prefix(EXAMPLES)?.strip_prefix('/')?.strip_suffix(".wasm")?;
            Some(Example { name: name.to_owned(), module: self.get(path)?.content })
        });
        examples.collect()
    }

    /// The file at a path; `None` if there is none.
    pub(super) fn get(&self, path: &str) -> Option<File> {
        match &self.0 {
            Files::Packed(files) => {
                let (content, hash) = files.get(path)?;
                Some(File { content: Cow::Borrowed(content), hash: *hash })
            }
            Files::Folder(folder) => {
                // Nothing that is not below the folder.
                let mut parts = Path::new(path).components();
                if !parts.all(|part| matches!(part, Component::Normal(_))) {
                    return None;
                }
                let content = fs::read(folder.join(path)).ok()?;
                let hash = Sha1::digest(&content).into();
                Some(File { content: Cow::Owned(content), hash })
            }
        }
    }
}

fn take_length(pack: &mut &'static [u8]) -> Result<usize, Damaged> {
    let (length, rest) = pack.split_first_chunk().ok_or(Damaged)?;
    *pack = rest;
    usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Damaged)
}

fn take(pack: &mut &'static [u8], length: usize) -> Result<&'static [u8], Damaged> {
    let (taken, rest) = pack.split_at_checked(length).ok_or(Damaged)?;
    *pack = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: &[u8] = b"\x01\0\0\0\x02\0\0\0afi\x03\0\0\0\0\0\0\0b/c";

    #[test]
    fn a_pack_holds_files_by_their_paths() {
        let page = Page::packed(PACK).unwrap();
        assert_eq!(page.get("a").unwrap().content, &b"fi"[..]);
        assert_eq!(page.get("b/c").unwrap().content, &b""[..]);
        assert_ne!(page.get("a").unwrap().hash, page.get("b/c").unwrap().hash);
        assert!(page.get("b").is_none());
        assert!(Page::packed(b"").unwrap().get("a").is_none());
        for end in (1..PACK.len()).filter(|end| *end != 11) {
            assert!(Page::packed(&PACK[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn examples_are_the_modules_in_their_folder() {
        let files = [("examples/pi.wasm", "2"), ("examples/ep.wasm", "1"), ("worker.wasm", "0")];
        let mut pack = Vec::new();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("examples")).unwrap();
        fs::write(folder.path().join("examples/ep.txt"), "0").unwrap();
        for (path, content) in files {
            pack.extend([path.len() as u8, 0, 0, 0, content.len() as u8, 0, 0, 0]);
            pack.extend([path, content].concat().bytes());
            fs::write(folder.path().join(path), content).unwrap();
        }
        for page in [Page::packed(pack.leak()).unwrap(), Page::folder(folder.path())] {
            let examples = page.examples().into_iter();
            let examples = examples.map(|example| (example.name, example.module.to_vec()));
            assert!(examples.eq([("ep".into(), b"1".to_vec()), ("pi".into(), b"2".to_vec())]));
        }
        assert_eq!(Page::default().examples(), []);
        assert_eq!(Page::folder("nowhere").examples(), []);
    }

    #[test]
    fn a_folder_gives_what_is_below_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("page")).unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        fs::write(folder.path().join("page/index.html"), "hello").unwrap();
        let page = Page::folder(folder.path().join("page"));
        assert_eq!(page.get("index.html").unwrap().content, &b"hello"[..]);
        let outside = folder.path().join("secret");
        for path in ["../secret", "js/../../secret", outside.to_str().unwrap(), "", "js", "."] {
            assert!(page.get(path).is_none(), "{path}");
        }
    }
}
