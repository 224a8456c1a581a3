//! What is kept of kernels and their data.

use crate::helpers::*;
use tequio::store::{NewJob, Store, StoreError, StoredKernel};
use tequio_protocol::api::JobState;
use tequio_protocol::op::OpId;
use tequio_protocol::op::kernel::Sha256;

fn sha256(digit: char) -> Sha256 {
    digit.to_string().repeat(64).parse().unwrap()
}

fn kernel(digit: char, name: &str) -> StoredKernel {
    let (name, about) = (name.to_owned(), "{\"form\":\"json\"}".to_owned());
    StoredKernel { sha256: sha256(digit), name, about, added_at_ms: 1_763_700_000_123 }
}

fn job(store: &dyn Store, hashes: &str) -> tequio_protocol::ids::JobId {
    let op = OpId::new(&format!("kernel:{hashes}:1:json:"));
    let job = NewJob { op, ..inputs_job() };
    let id = store.create_job(&job).unwrap();
    store.publish(id).unwrap();
    id
}

pub(crate) fn kernels_are_kept_as_they_were_added(store: &dyn Store) {
    assert_eq!(store.kernels().unwrap(), []);
    assert_eq!(store.blob(&sha256('a')).unwrap(), None);
    let (one, other) = (kernel('a', "one"), kernel('b', "¿otro? ' \"; --"));
    store.add_kernel(&one, b"\0asm one").unwrap();
    store.add_kernel(&other, &vec![7; 4 << 20]).unwrap();
    let renamed = StoredKernel { name: "another name".to_owned(), ..one.clone() };
    store.add_kernel(&renamed, b"\0asm one").unwrap();
    assert_eq!(store.kernels().unwrap(), [one.clone(), other], "each once, under its first name");
    assert_eq!(store.blob(&one.sha256).unwrap().unwrap(), b"\0asm one");
    let taken = store.add_kernel(&kernel('c', "one"), b"\0asm two").unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken { .. }), "{taken}");
    assert_eq!(store.blob(&sha256('c')).unwrap(), None);
    store.load().unwrap();
    assert_eq!(store.blob(&sha256('b')).unwrap().unwrap().len(), 4 << 20);
}

pub(crate) fn a_kernel_that_jobs_use_is_not_removed(store: &dyn Store) {
    store.add_kernel(&kernel('a', "one"), b"module").unwrap();
    let missing = store.remove_kernel(&sha256('b')).unwrap_err();
    assert!(matches!(missing, StoreError::NoSuchKernel(_)), "{missing}");
    let id = job(store, sha256('a').as_str());
    let used = store.remove_kernel(&sha256('a')).unwrap_err();
    assert!(
        matches!(used, StoreError::KernelInUse { jobs: 1, first, .. } if first == id.0),
        "{used}"
    );
    store.set_state(id, JobState::Cancelled).unwrap();
    while store.remove(id).unwrap() {}
    store.remove_kernel(&sha256('a')).unwrap();
    assert_eq!((store.kernels().unwrap(), store.blob(&sha256('a')).unwrap()), (vec![], None));
    store.add_kernel(&kernel('c', "one"), b"other").unwrap();
}

pub(crate) fn data_is_kept_while_a_job_names_it(store: &dyn Store) {
    store.add_kernel(&kernel('a', "one"), b"module").unwrap();
    for digit in ['b', 'c'] {
        store.add_data(&sha256(digit), digit.to_string().as_bytes()).unwrap();
        store.add_data(&sha256(digit), digit.to_string().as_bytes()).unwrap();
    }
    job(store, &format!("{}+{}", sha256('a'), sha256('b')));
    store.load().unwrap();
    let kept = ['a', 'b', 'c'].map(|digit| store.blob(&sha256(digit)).unwrap().is_some());
    assert_eq!(kept, [true, true, false]);
}
