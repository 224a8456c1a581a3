// @ts-check
// What kernels may import, which is the same on every host: WASI preview 1 with nothing behind it, and AssemblyScript's
// two. Rules 8 and 9 of `kernel/src/host/mod.rs`.

const SUCCESS = 0;
const EBADF = 8;
const EFAULT = 21;
const EINVAL = 28;
const ENOSYS = 52;
const ESPIPE = 70;

/** Enough to see that it is too long, whatever line break is at its end. */
const STDOUT_BYTES_KEPT = 65_539;

const STDERR_BYTES_KEPT = 4096;

/** Units of UTF-16 that are read of a text of AssemblyScript. */
const TEXT_UNITS_MAX = 500;

const CHARACTER_DEVICE = 2;
const RIGHT_TO_READ = 2;
const RIGHT_TO_WRITE = 64;

/** How a call ended, and what of: what Rust makes an outcome of. It is also thrown, which ends the call. */
export class Ended {
  bytes = new Uint8Array();
  stderr = new Uint8Array();
  code = 0;
  message = "";
  file = "";
  line = 0;
  column = 0;

  /** @param {string} how @param {Partial<Ended>} [what] */
  constructor(how, what) {
    this.how = how;
    Object.assign(this, what);
  }
}

/** What an instance has beside its own memory. */
export class Imports {
  /** None if it exports none: one of no bytes. @type {WebAssembly.Memory | undefined} */
  memory;

  /** In the pieces that it was written in. @type {Uint8Array[]} */
  #stdout = [];
  #stdoutBytes = 0;
  #stderr = new Uint8Array();
  #random = 0n;

  /** @param {Uint8Array} [stdin] What is left of it. */
  constructor(stdin = new Uint8Array()) {
    this.stdin = stdin;
  }

  /** An object of these. @param {WebAssembly.ModuleImportDescriptor[]} names */
  of(names) {
    const functions = this.#functions();
    /** @type {Record<string, Record<string, Function>>} */
    const modules = {};
    for (const { module, name } of names) {
      // What is not here does nothing; which there may be, the server has seen to.
      (modules[module] ??= {})[name] = functions[name] ?? (() => ENOSYS);
    }
    return modules;
  }

  /** @param {number} code */
  exited(code) {
    return new Ended("exit", { code, bytes: joined(this.#stdout), stderr: this.#stderr });
  }

  /** @returns {Record<string, (...args: any[]) => unknown>} */
  #functions() {
    /** @param {number} file @param {number} code */
    const ofFile = (file, code) => (file >= 0 && file <= 2 ? code : EBADF);
    /** @param {number} count @param {number} size */
    const none = (count, size) => this.#write([count, new Uint8Array(4)], [size, new Uint8Array(4)]);
    return {
      seed: () => 1,
      /** @param {number} message @param {number} file @param {number} line @param {number} column */
      abort: (message, file, line, column) => {
        throw new Ended("abort", {
          message: this.#text(message),
          file: this.#text(file),
          line: line >>> 0,
          column: column >>> 0,
        });
      },
      args_get: () => SUCCESS,
      args_sizes_get: none,
      environ_get: () => SUCCESS,
      environ_sizes_get: none,
      clock_time_get: (_clock, _precision, place) => this.#write([place, new Uint8Array(8)]),
      clock_res_get: (_clock, place) => this.#write([place, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)]),
      fd_close: (file) => ofFile(file, SUCCESS),
      fd_fdstat_get: (file, place) => {
        const status = new Uint8Array(24);
        status[0] = CHARACTER_DEVICE;
        status[8] = file === 0 ? RIGHT_TO_READ : RIGHT_TO_WRITE;
        return ofFile(file, SUCCESS) || this.#write([place, status]);
      },
      fd_prestat_get: () => EBADF,
      fd_prestat_dir_name: () => EBADF,
      fd_read: (file, list, count, place) => (file === 0 ? this.#fdRead(list, count, place) : EBADF),
      fd_seek: (file) => ofFile(file, ESPIPE),
      fd_tell: (file) => ofFile(file, ESPIPE),
      fd_write: (file, list, count, place) =>
        file === 1 || file === 2 ? this.#fdWrite(file, list, count, place) : EBADF,
      proc_exit: (code) => {
        throw this.exited(code);
      },
      random_get: (place, length) => {
        const bytes = this.#bytes(place, length);
        return bytes ? this.#fill(bytes) : EFAULT;
      },
      sched_yield: () => SUCCESS,
    };
  }

  /** Bytes of the memory; none if not all of them are within it. Numbers come from WebAssembly with a sign.
   * @param {number} place @param {number} length */
  #bytes(place, length) {
    const buffer = this.memory?.buffer ?? new ArrayBuffer(0);
    const [from, count] = [place >>> 0, length >>> 0];
    return from + count <= buffer.byteLength ? new Uint8Array(buffer, from, count) : undefined;
  }

  /** Writes all, or nothing where a place is not within memory. @param {[number, Uint8Array][]} writes */
  #write(...writes) {
    const rooms = writes.map(([place, bytes]) => this.#bytes(place, bytes.length));
    if (rooms.includes(undefined)) {
      return EFAULT;
    }
    rooms.forEach((room, index) => room?.set(writes[index][1]));
    return SUCCESS;
  }

  /** A number of 4 bytes, as `#write` takes it. @param {number} number */
  #number(number) {
    return new Uint8Array(Uint32Array.of(number).buffer);
  }

  /** The list of buffers, a place and a length each. @param {number} list @param {number} count */
  #list(list, count) {
    const bytes = (count >>> 0) * 8;
    const entries = bytes < 2 ** 32 ? this.#bytes(list, bytes) : undefined;
    return entries && new DataView(entries.buffer, entries.byteOffset, bytes);
  }

  /** Why buffers cannot be read or written, or how many bytes they have.
   * @param {DataView | undefined} entries @param {number} place Of the count.
   * @returns {{ code: number, total: number }} */
  #total(entries, place) {
    let total = 0;
    if (!entries) {
      return { code: EFAULT, total };
    }
    for (let at = 0; at < entries.byteLength; at += 8) {
      const length = entries.getUint32(at + 4, true);
      if (!this.#bytes(entries.getUint32(at, true), length)) {
        return { code: EFAULT, total };
      }
      total += length;
    }
    if (!this.#bytes(place, 4)) {
      return { code: EFAULT, total };
    }
    return { code: total < 2 ** 32 ? SUCCESS : EINVAL, total };
  }

  /** @param {number} file @param {number} list @param {number} count @param {number} place */
  #fdWrite(file, list, count, place) {
    const entries = this.#list(list, count);
    const { code, total } = this.#total(entries, place);
    if (code !== SUCCESS || !entries) {
      return code;
    }
    for (let at = 0; at < entries.byteLength; at += 8) {
      const bytes = this.#bytes(entries.getUint32(at, true), entries.getUint32(at + 4, true));
      if (bytes && file === 1) {
        this.#print(bytes);
      } else if (bytes) {
        const kept = joined([this.#stderr, bytes.subarray(-STDERR_BYTES_KEPT)]);
        this.#stderr = kept.slice(-STDERR_BYTES_KEPT);
      }
    }
    return this.#write([place, this.#number(total)]);
  }

  /** @param {Uint8Array} bytes */
  #print(bytes) {
    const kept = bytes.slice(0, STDOUT_BYTES_KEPT - this.#stdoutBytes);
    if (kept.length > 0) {
      this.#stdout.push(kept);
      this.#stdoutBytes += kept.length;
    }
  }

  /** @param {number} list @param {number} count @param {number} place */
  #fdRead(list, count, place) {
    const entries = this.#list(list, count);
    const { code } = this.#total(entries, place);
    if (code !== SUCCESS || !entries) {
      return code;
    }
    const before = this.stdin.length;
    for (let at = 0; at < entries.byteLength && this.stdin.length > 0; at += 8) {
      // Read anew each time: a buffer may lie over the list.
      const length = Math.min(entries.getUint32(at + 4, true), this.stdin.length);
      const room = this.#bytes(entries.getUint32(at, true), length);
      if (!room) {
        break;
      }
      room.set(this.stdin.subarray(0, length));
      this.stdin = this.stdin.subarray(length);
    }
    return this.#write([place, this.#number(before - this.stdin.length)]);
  }

  /** Fills with words of SplitMix64 (Steele, Lea and Flood 2014). @param {Uint8Array} bytes */
  #fill(bytes) {
    const u64 = (/** @type {bigint} */ number) => BigInt.asUintN(64, number);
    const word = new BigUint64Array(1);
    const view = new Uint8Array(word.buffer);
    for (let at = 0; at < bytes.length; at += 8) {
      this.#random = u64(this.#random + 0x9e3779b97f4a7c15n);
      let z = this.#random;
      z = u64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = u64((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      word[0] = z ^ (z >> 31n);
      bytes.set(view.subarray(0, bytes.length - at), at);
    }
    return SUCCESS;
  }

  /** A text of AssemblyScript. @param {number} pointer */
  #text(pointer) {
    const place = pointer >>> 0;
    const head = place < 4 ? undefined : this.#bytes(place - 4, 4);
    if (!head) {
      return "";
    }
    const length = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
    const units = Math.min(length >>> 1, TEXT_UNITS_MAX);
    const bytes = this.#bytes(place, 2 * units);
    return bytes ? new TextDecoder("utf-16le", { ignoreBOM: true }).decode(bytes) : "";
  }
}

/** @param {Uint8Array[]} parts */
const joined = (parts) => {
  const all = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
