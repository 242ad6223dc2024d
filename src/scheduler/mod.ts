export async function runScheduler(o: { signal: AbortSignal; [k: string]: unknown }): Promise<void> { await new Promise<void>((r) => o.signal.addEventListener('abort', () => r(), { once: true })); }
export async function runSchedulerCommand(_a: readonly string[], _s: AbortSignal): Promise<void> {}
