/** Repeats a check of something that others bring about, until it holds. @throws what the check throws after the time-out */
export async function eventually(check: () => Promise<void>, timeoutMs = 10_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; ; await new Promise((done) => setTimeout(done, 50)))
    try {
      return await check();
    } catch (e) {
      if (Date.now() > end) throw e;
    }
}
