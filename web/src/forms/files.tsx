// A question that is answered by files: chosen, sent at once with how far it is, listed with a way to take each out, and links to them.
import { useEffect, useRef, useState } from 'preact/hooks';
import { NetworkError, ProblemError } from '../api/client';
import type { FileView } from '../api/types';
import { lang } from '../i18n';
import { t } from '../i18n/services';
import { described } from '../kit/field';
import { Icon } from '../kit/icon';
import { say } from '../kit/say';
import type { Fault } from './draft';
import { idOf, isWithin, type Schema, type Value } from './schema';

const MEDIA = { pdf: 'application/pdf', jpeg: 'image/jpeg', png: 'image/png' };

export const sizeOf = (bytes: number): string =>
  new Intl.NumberFormat(lang() === 'zh' ? 'zh-CN' : 'en-GB', { maximumFractionDigits: bytes < 1_000_000 ? 0 : 1 }).format(bytes < 1_000_000 ? Math.ceil(bytes / 1000) : bytes / 1_000_000) + (bytes < 1_000_000 ? ' kB' : ' MB');
const typesOf = (schema: Schema): string => (schema['x-file']?.types ?? []).map((one) => one.toUpperCase()).join(lang() === 'zh' ? '、' : ', ');
export const idsOf = (value: Value): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);
const nameOf = (file: FileView | undefined, n: number): string => file?.name || t('file.unnamed', { n });

/** What the server says of a file, or of the way to it. */
export function wordsOfFile(fault: Fault, schema: Schema | undefined): string {
  const rule = schema?.['x-file'];
  switch (fault.code) {
    case 'too_large': return t('fault.file.large', { size: sizeOf(rule?.bytes_max ?? 0) });
    case 'wrong_type': return t('fault.file.type', { types: schema ? typesOf(schema) : '' });
    case 'too_many': return t('fault.file.many', { n: schema?.maxItems ?? 1 });
    case 'empty': case 'damaged': return t('fault.file.damaged');
    case 'busy': return t('fault.file.busy');
    case 'network': return t('fault.file.network');
    default: return t('fault.file.gone');
  }
}

export interface Files {
  case: string;
  known: FileView[];
  attach: (pointer: string, file: File, progress: (share: number) => void, signal: AbortSignal) => Promise<FileView>;
}
interface Sending {
  name: string;
  share: number;
  stop: AbortController;
}
interface Drawn {
  pointer: string;
  schema: Schema;
  value: Value;
  files: Files;
  errors: Record<string, string>;
  label: preact.ComponentChildren;
  hint: preact.ComponentChildren;
  put: (ids: string[]) => void;
}

export function FileField({ pointer, schema, value, files, errors, label, hint, put }: Drawn) {
  const id = idOf(pointer), most = schema.maxItems ?? 1, rule = schema['x-file']!, box = useRef<HTMLDivElement>(null);
  const ids = useRef<string[]>([]), goOn = useRef<number | null>(null), [sending, setSending] = useState<Sending[]>([]), [trouble, setTrouble] = useState<string[]>([]);
  ids.current = idsOf(value);
  const said = [...trouble, ...Object.entries(errors).filter(([one]) => isWithin(one, [pointer])).map(([, text]) => text)];
  const error = said.length ? said.join(' ') : undefined;
  const set = (changed: string[]) => put((ids.current = changed));

  const send = async (file: File): Promise<void> => {
    const stop = new AbortController(), failed = (fault: Fault) => setTrouble((was) => [...was, `${file.name}: ${wordsOfFile(fault, schema)}`]);
    if (file.size > rule.bytes_max) return failed({ code: 'too_large', detail: '' });
    if (ids.current.length >= most) return failed({ code: 'too_many', detail: '' });
    const drawn = (share: number) => setSending((was) => [...was.filter((one) => one.stop !== stop), { name: file.name, share, stop }]);
    drawn(0);
    try {
      const kept = await files.attach(pointer, file, drawn, stop.signal);
      if (!ids.current.includes(kept.id)) set([...ids.current, kept.id]);
      say(t('file.done', { name: file.name }));
    } catch (problem) {
      if (!stop.signal.aborted) failed(faultOf(problem));
    } finally {
      setSending((was) => was.filter((one) => one.stop !== stop));
    }
  };
  /** One after the other: a phone's way out is narrow. */
  const choose = async (input: HTMLInputElement) => {
    const chosen = [...(input.files ?? [])];
    input.value = ''; // The same file may be chosen again.
    setTrouble([]);
    for (const file of chosen) await send(file);
  };
  const remove = (place: number, name: string) => {
    setTrouble([]);
    set(ids.current.filter((_one, at) => at !== place));
    say(t('file.removed', { name }));
    goOn.current = place;
  };
  /** Whoever took one out goes on at the next one, once it has moved up. */
  useEffect(() => {
    if (goOn.current !== null) (box.current?.querySelectorAll<HTMLElement>('li button')[goOn.current] ?? document.getElementById(id))?.focus();
    goOn.current = null;
  }, [ids.current.length]);
  const full = ids.current.length + sending.length >= most;
  return (
    <div ref={box} class={`field files ${error ? 'err' : ''}`}>
      <label for={id}>{label}</label>
      <span class="hint" id={`${id}-hint`}>{hint}<span class="rule">{t('file.rule', { types: typesOf(schema), size: sizeOf(rule.bytes_max), n: most })}</span></span>
      {error && <span class="errtext" id={`${id}-error`} role="alert">{error}</span>}
      {(ids.current.length > 0 || sending.length > 0) && (
        <ul class="filelist">
          {ids.current.map((one, i) => {
            const file = files.known.find((known) => known.id === one), name = nameOf(file, i + 1);
            return <li key={one} id={`${id}-${i}`} tabIndex={-1}><FileLink of={files.case} id={one} file={file} n={i + 1} /><button type="button" class="btn s" aria-label={t('file.remove', { name })} onClick={() => remove(i, name)}>{t('file.take')}</button></li>;
          })}
          {sending.map((one) => (
            <li key={one.name}><span class="grow">{one.name}<progress max={1} value={one.share} aria-label={t('file.sending', { name: one.name })} /></span><button type="button" class="btn s" aria-label={t('file.cancel', { name: one.name })} onClick={() => one.stop.abort()}>{t('file.stop')}</button></li>
          ))}
        </ul>
      )}
      <div class="pick">
        <input class="sr" type="file" id={id} accept={rule.types.map((one) => MEDIA[one]).join(',')} multiple={most > 1} aria-disabled={full ? 'true' : undefined} {...described(id, true, error)}
          onClick={(event) => { if (full) event.preventDefault(); }} onChange={(event) => void choose(event.currentTarget)} />
        {full ? <span class="c-2">{t('file.full', { n: most })}</span> : <label class="btn s" for={id}><Icon name="plus" />{t(ids.current.length ? 'file.more' : 'file.choose')}</label>}
      </div>
    </div>
  );
}

function faultOf(problem: unknown): Fault {
  if (problem instanceof NetworkError) return { code: 'network', detail: '' };
  if (!(problem instanceof ProblemError)) throw problem;
  const busy = problem.status === 429 || problem.status === 503;
  return { code: busy ? 'busy' : (problem.problem.errors[0]?.code ?? 'network'), detail: problem.problem.detail };
}

function FileLink({ of, id, file, n }: { of: string; id: string; file: FileView | undefined; n: number }) {
  return (
    <span class="grow"><a href={`/api/v1/services/cases/${of}/files/${id}`} download>{nameOf(file, n)}</a>
      {file && <span class="meta"> {Object.entries(MEDIA).find(([, media]) => media === file.type)?.[0]?.toUpperCase()} {sizeOf(file.bytes)}</span>}</span>
  );
}

/** The files that an answer names, to be looked at. */
export const FileLinks = ({ value, of, known }: { value: Value; of: string; known: FileView[] }) => (
  <ul class="filelist plain">{idsOf(value).map((one, i) => <li key={one}><FileLink of={of} id={one} file={known.find((file) => file.id === one)} n={i + 1} /></li>)}</ul>
);
