// Waiting without sleeping: everything has a deadline that tells what was waited for.

export const DEADLINE_MS = 10_000;

/** The promise's value, or an error that names what did not happen in time. */
export async function within(promise, what, ms = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first event of that name, as the list of its arguments. */
export function next(emitter, event, what = `event ${event}`) {
  return within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), what);
}

/** A list that can be waited on until it has what is looked for. */
export class Log {
  entries = [];
  #waiting = new Set();

  push(entry) {
    this.entries.push(entry);
    for (const look of [...this.#waiting]) look();
  }

  /** The first entry that matches, now or later. */
  find(matches, what = 'a matching entry') {
    return within(
      new Promise((resolve) => {
        const look = () => {
          const found = this.entries.find(matches);
          if (found === undefined) return;
          this.#waiting.delete(look);
          resolve(found);
        };
        this.#waiting.add(look);
        look();
      }),
      what,
    );
  }

  /** All entries, once there are at least `count`. */
  async atLeast(count, what = `${count} entries`) {
    await this.find(() => this.entries.length >= count, `${what} (have ${this.entries.length})`);
    return this.entries;
  }
}
