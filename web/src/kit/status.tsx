// A light never goes without a word: disc fine, triangle look, square wrong, diamond under way, ring stopped.
import type { ComponentChildren } from 'preact';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'mute' | 'care' | 'ev' | 'plain';

export const Pill = ({ tone, children }: { tone: Tone; children: ComponentChildren }) => <span class={`pill ${tone}`}>{children}</span>;
export const Light = ({ tone, children }: { tone: 'ok' | 'warn' | 'bad' | 'mute'; children: ComponentChildren }) => <span class={`light ${tone}`}>{children}</span>;
