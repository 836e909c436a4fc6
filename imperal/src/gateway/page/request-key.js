// Keys of requests, so that the platform carries out a repeated one once.

/** A new key. Not from randomUUID, which needs HTTPS. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
