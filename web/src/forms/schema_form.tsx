// Questions drawn from their schema: what a department said is locked and says whence, what it could not say is a pledge, the rest is asked.
import { useRef, useState } from 'preact/hooks';
import type { CaseView, ChoiceView, OriginView } from '../api/types';
import { lang, named } from '../i18n';
import { agency, moment, t } from '../i18n/services';
import { Banner, say } from '../kit/say';
import { described, Field, TextField } from '../kit/field';
import { Icon } from '../kit/icon';
import { Plate } from '../kit/plate';
import type { Fault } from './draft';
import { FileField, FileLinks, wordsOfFile, type Files } from './files';
import { PlaceField, wordsOfPlace } from './place';
import { idOf, isEmpty, isGroup, isWithin, offered, valueAt, type Form, type Schema, type Value } from './schema';
import './forms.css';

const LONG = 80, RADIOS_MAX = 7;

export interface Drawn {
  schema: Schema;
  form: Form;
  closed: Set<string>; // what is not asked
  origins: Record<string, OriginView>;
  choices: Record<string, ChoiceView[]>;
  pledged: Record<string, string>; // the silent department, by pointer
  errors: Record<string, string>;
  files: Files;
  change: (pointer: string, value: Value, how?: { soon?: boolean }) => void;
  leave: () => void; // a field was left: what is in it may be saved
}

export const labelOf = (schema: Schema, pointer: string): string => (schema['x-label'] ? named(schema['x-label']) : pointer.split('/').pop()!);

/** What the server said of an answer, in the person's language. */
export function wordsOfFault(fault: Fault, schema: Schema | undefined, pointer: string): string {
  const label = schema ? labelOf(schema, pointer) : '';
  const choice = schema && (offered(schema) || schema.type === 'boolean' || schema['x-plate'] || schema['x-place']);
  switch (fault.code) {
    case 'missing': case 'required': return t(choice ? 'fault.choose' : schema?.['x-file'] ? 'fault.file' : schema?.type === 'array' ? 'fault.add' : 'fault.missing', { label });
    case 'enum': case 'const': case 'oneOf': return t('fault.choose', { label });
    case 'too_large': case 'wrong_type': case 'too_many': case 'empty': case 'damaged': case 'unknown_file': case 'twice': return wordsOfFile(fault, schema);
    case 'place': case 'unknown_place': return t('place.choose');
    case 'outside_city': return t('fault.outside');
    case 'not_offered': return t('fault.notOffered');
    case 'locked': return t('fault.locked', { label });
    case 'format': return t(schema?.format === 'email' ? 'fault.email' : schema?.format === 'uri' ? 'fault.uri' : 'fault.date', { label });
    case 'pattern': return t('fault.pattern', { label });
    case 'maxLength': return t('fault.long', { label, n: schema?.maxLength ?? '' });
    case 'minLength': return t('fault.short', { label, n: schema?.minLength ?? '' });
    case 'minimum': return t('fault.small', { label, n: schema?.minimum ?? '' });
    case 'maximum': return t('fault.large', { label, n: schema?.maximum ?? '' });
    case 'minItems': return t('fault.few', { label, n: schema?.minItems ?? '' });
    case 'maxItems': return t('fault.many', { label, n: schema?.maxItems ?? '' });
    case 'type': return t(schema?.type === 'integer' ? 'fault.integer' : schema?.type === 'number' ? 'fault.number' : 'fault.pattern', { label });
    case 'invisible': return t('fault.invisible', { label });
    default: return lang() === 'en' && fault.detail ? `${label}: ${fault.detail}` : t('fault.pattern', { label });
  }
}

/** An answer as people read it. */
export function Answer({ schema, value, colour, view }: { schema: Schema; value: Value; colour?: string; view?: Pick<CaseView, 'id' | 'files'> }) {
  if (isEmpty(value)) return <span class="c-3">{t('answer.none')}</span>;
  if (schema['x-file'] && view) return <FileLinks value={value} of={view.id} known={view.files} />;
  if (schema['x-place']) return <>{wordsOfPlace(value)}</>;
  if (schema['x-plate']) return <Plate plate={String(value)} colour={colour ?? (String(value).length > 7 ? 'green' : 'blue')} />;
  if (typeof value === 'boolean') return <>{t(value ? 'yes' : 'no')}</>;
  if (Array.isArray(value)) {
    return (
      <ol class="stack answers">
        {value.map((item, i) => (
          <li key={i}>{Object.entries(schema.items?.properties ?? {}).filter(([name]) => !isEmpty(valueAt(item, '/' + name))).map(([name, part]) => (
            <span key={name} class="answer"><span class="c-2">{labelOf(part, '/' + name)}</span> <Answer schema={part} value={valueAt(item, '/' + name)} /></span>
          ))}</li>
        ))}
      </ol>
    );
  }
  const choice = offered(schema)?.find((one) => one.value === value);
  return <>{choice ? named(choice.label) : String(value)}</>;
}

export const Source = ({ origin }: { origin: OriginView }) => <>{t(origin.as_of ? 'source.at' : 'source', { agency: agency(origin.source), when: origin.as_of ? moment(origin.as_of) : '' })}</>;

function Locked({ pointer, schema, drawn }: { pointer: string; schema: Schema; drawn: Drawn }) {
  const [open, setOpen] = useState(false);
  const origin = drawn.origins[pointer]!, id = idOf(pointer);
  const colour = drawn.choices[pointer]?.find((one) => one.value === valueAt(drawn.form, pointer))?.colour;
  return (
    <div class="field" id={id} tabIndex={-1}>
      <span class="lab">{labelOf(schema, pointer)}</span>
      {drawn.errors[pointer] && <span class="errtext">{drawn.errors[pointer]}</span>}
      <div class="locked">
        <span class="v"><Answer schema={schema} value={valueAt(drawn.form, pointer)} colour={colour} /></span>
        <Icon name="lock" />
        <span class="src"><Source origin={origin} /> <button type="button" class="linkish nowrap" aria-expanded={open} aria-label={t('wrong.of', { label: labelOf(schema, pointer) })} onClick={() => setOpen(!open)}>{t('wrong')}</button></span>
        {open && <p class="src wrong">{t('wrong.how', { agency: agency(origin.source) })}</p>}
      </div>
    </div>
  );
}

function Choice({ pointer, schema, drawn, options }: { pointer: string; schema: Schema; drawn: Drawn; options: { value: Value; text: preact.ComponentChildren; name: string }[] }) {
  const id = idOf(pointer), error = drawn.errors[pointer], hint = schema['x-hint'], value = valueAt(drawn.form, pointer);
  const about = described(id, hint || schema['x-basis'], error);
  if (options.length > RADIOS_MAX) {
    return (
      <Field id={id} label={<Label schema={schema} pointer={pointer} drawn={drawn} />} hint={hintOf(schema)} error={error}>
        <select class="input" id={id} {...about} value={isEmpty(value) ? '' : String(value)}
          onChange={(event) => drawn.change(pointer, options.find((one) => String(one.value) === event.currentTarget.value)?.value, { soon: true })}>
          <option value="">{t('choose')}</option>
          {options.map((one) => <option key={String(one.value)} value={String(one.value)}>{one.name}</option>)}
        </select>
      </Field>
    );
  }
  return (
    <fieldset class={`field ${error ? 'err' : ''}`} {...about}>
      <legend><Label schema={schema} pointer={pointer} drawn={drawn} /></legend>
      {hintOf(schema) && <p class="hint" id={`${id}-hint`}>{hintOf(schema)}</p>}
      {error && <p class="errtext" id={`${id}-error`}>{error}</p>}
      <div class="choice">
        {options.map((one, i) => (
          <label key={String(one.value)}>
            <input type="radio" name={id} id={i ? `${id}-${i}` : id} checked={value === one.value} onChange={() => drawn.change(pointer, one.value, { soon: true })} />
            <span>{one.text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const hintOf = (schema: Schema) => {
  const hint = schema['x-hint'] ? named(schema['x-hint']) : '', basis = schema['x-basis'];
  if (!basis) return hint || undefined;
  return <>{hint}{hint && (lang() === 'zh' ? '。' : '. ')}<span class="basis">{t('basis', { law: basis })}</span></>;
};

function Label({ schema, pointer, drawn }: { schema: Schema; pointer: string; drawn: Drawn }) {
  return <>{labelOf(schema, pointer)}{!isRequired(drawn.schema, pointer) && <span class="opt"> {t('optional')}</span>}</>;
}

function isRequired(schema: Schema, pointer: string): boolean {
  let part: Schema | undefined = schema;
  for (const name of pointer.split('/').slice(1)) {
    if (/^\d+$/.test(name)) part = part?.items;
    else if (!part?.required?.includes(name)) return false;
    else part = part.properties?.[name];
  }
  return true;
}

/** Typed: what cannot be read as a number goes to the server as it is, which says so. */
const numberOf = (text: string): Value => (text.trim() === '' ? undefined : /^-?\d+([.]\d+)?$/.test(text.trim()) ? Number(text) : text);

function Written({ pointer, schema, drawn }: { pointer: string; schema: Schema; drawn: Drawn }) {
  const id = idOf(pointer), error = drawn.errors[pointer], value = valueAt(drawn.form, pointer), text = isEmpty(value) ? '' : String(value);
  const label = <Label schema={schema} pointer={pointer} drawn={drawn} />, hint = hintOf(schema);
  const write = (written: string) => drawn.change(pointer, schema.type === 'integer' || schema.type === 'number' ? numberOf(written) : schema['x-plate'] ? written.toUpperCase().replace(/\s/g, '') || undefined : written || undefined);
  if (schema.format === 'date') {
    return (
      <Field id={id} label={label} hint={hint} error={error}>
        <input class="input date" type="date" id={id} value={text} onInput={(event) => write(event.currentTarget.value)} onBlur={drawn.leave} {...described(id, hint, error)} />
      </Field>
    );
  }
  if ((schema.maxLength ?? 0) > LONG) {
    return (
      <Field id={id} label={label} hint={hint} error={error}>
        <textarea class="input" id={id} rows={3} maxLength={schema.maxLength} value={text} onInput={(event) => write(event.currentTarget.value)} onBlur={drawn.leave} {...described(id, hint, error)} />
      </Field>
    );
  }
  const number = schema.type === 'integer' ? 'numeric' : schema.type === 'number' ? 'decimal' : undefined;
  return (
    <div onFocusOut={drawn.leave}>
      <TextField id={id} label={label} hint={hint} error={error} value={text} onValue={write} maxLength={schema.maxLength} type={schema.format === 'email' ? 'email' : 'text'} inputMode={number ?? (schema.format === 'email' ? 'email' : undefined)} />
    </div>
  );
}

function List({ pointer, schema, drawn }: { pointer: string; schema: Schema; drawn: Drawn }) {
  const found = valueAt(drawn.form, pointer), items: Value[] = Array.isArray(found) ? found : [];
  const id = idOf(pointer), error = drawn.errors[pointer], name = labelOf(schema, pointer);
  const put = (changed: Value[], soon = true) => drawn.change(pointer, changed.length ? changed : undefined, { soon });
  /** A list is one answer: what is inside of it is written as the whole list. */
  const inner: Drawn = {
    ...drawn,
    change: (at, value, how) => {
      const [place, ...rest] = at.slice(pointer.length + 1).split('/') as [string, ...string[]];
      const item = { ...(items[Number(place)] as Form) };
      if (value === undefined) delete item[rest[0]!];
      else item[rest[0]!] = value;
      put(items.map((one, i) => (i === Number(place) ? item : one)), how?.soon ?? false);
    },
  };
  const box = useRef<HTMLFieldSetElement>(null);
  /** Its faults go with it, since they are facts about its values; whoever removed it goes on at the next one, and hears that it is gone. */
  const remove = (place: number) => {
    put(items.filter((_one, at) => at !== place));
    say(t('list.removed', { n: place + 1 }));
    requestAnimationFrame(() => {
      const next = box.current?.querySelectorAll<HTMLElement>(':scope > .item')[place];
      (next?.querySelector<HTMLElement>('input, select, textarea, button') ?? document.getElementById(id))?.focus();
    });
  };
  return (
    <fieldset ref={box} class={`field list ${error ? 'err' : ''}`} {...described(id, hintOf(schema), error)}>
      <legend><Label schema={schema} pointer={pointer} drawn={drawn} /></legend>
      {hintOf(schema) && <p class="hint" id={`${id}-hint`}>{hintOf(schema)}</p>}
      {error && <p class="errtext" id={`${id}-error`}>{error}</p>}
      {items.map((_, i) => (
        <fieldset key={i} class="item stack">
          <legend class="line apart"><span>{t('list.item', { label: name, n: i + 1 })}</span></legend>
          {Object.entries(schema.items?.properties ?? {}).map(([field, part]) => <Part key={field} pointer={`${pointer}/${i}/${field}`} schema={part} drawn={inner} />)}
          <div><button type="button" class="btn s" onClick={() => remove(i)}>{t('list.remove', { label: name, n: i + 1 })}</button></div>
        </fieldset>
      ))}
      {items.length < (schema.maxItems ?? 50) && <div><button type="button" id={id} class="btn s" onClick={() => put([...items, {}], false)}><Icon name="plus" />{t('list.add', { label: name })}</button></div>}
    </fieldset>
  );
}

/** The department does not answer: her word stands until it does. */
function Pledge({ pointer, schema, drawn }: { pointer: string; schema: Schema; drawn: Drawn }) {
  const label = labelOf(schema, pointer), who = agency(drawn.pledged[pointer]!);
  return (
    <div class="stack pledge">
      <Banner round>{t('pledge.why', { agency: who, label })}</Banner>
      {drawn.choices[pointer]?.length ? <Asked pointer={pointer} schema={schema} drawn={drawn} /> : <Written pointer={pointer} schema={schema} drawn={drawn} />}
    </div>
  );
}

function Asked({ pointer, schema, drawn }: { pointer: string; schema: Schema; drawn: Drawn }) {
  const cars = drawn.choices[pointer];
  if (cars?.length) return <Choice pointer={pointer} schema={schema} drawn={drawn} options={cars.map((one) => ({ value: one.value, name: one.label, text: schema['x-plate'] ? <Plate plate={one.value} colour={one.colour} /> : one.label }))} />;
  const answers = offered(schema);
  if (answers) return <Choice pointer={pointer} schema={schema} drawn={drawn} options={answers.map((one) => ({ value: one.value, name: named(one.label), text: named(one.label) }))} />;
  if (schema['x-file']) return <FileField pointer={pointer} schema={schema} value={valueAt(drawn.form, pointer)} files={drawn.files} errors={drawn.errors} label={<Label schema={schema} pointer={pointer} drawn={drawn} />} hint={hintOf(schema)} put={(ids) => drawn.change(pointer, ids.length ? ids : undefined, { soon: true })} />;
  if (schema['x-place']) return <PlaceField pointer={pointer} schema={schema} value={valueAt(drawn.form, pointer)} error={drawn.errors[pointer]} label={<Label schema={schema} pointer={pointer} drawn={drawn} />} hint={hintOf(schema)} put={(place) => drawn.change(pointer, place, { soon: true })} />;
  if (schema.type === 'array') return <List pointer={pointer} schema={schema} drawn={drawn} />;
  if (schema.type === 'boolean' && schema.const === true) {
    const id = idOf(pointer), error = drawn.errors[pointer];
    return (
      <div class={`field ${error ? 'err' : ''}`}>
        {error && <p class="errtext" id={`${id}-error`}>{error}</p>}
        <label class="tick" for={id}><input id={id} type="checkbox" checked={valueAt(drawn.form, pointer) === true} {...described(id, undefined, error)} onChange={(event) => drawn.change(pointer, event.currentTarget.checked || undefined, { soon: true })} /><span>{labelOf(schema, pointer)}{schema['x-hint'] && <span class="hint"> {named(schema['x-hint'])}</span>}</span></label>
      </div>
    );
  }
  if (schema.type === 'boolean') return <Choice pointer={pointer} schema={schema} drawn={drawn} options={[{ value: true, name: t('yes'), text: t('yes') }, { value: false, name: t('no'), text: t('no') }]} />;
  return <Written pointer={pointer} schema={schema} drawn={drawn} />;
}

/** One part of the form, whatever it is; an object inside of a page is a group of its own. */
export function Part({ pointer, schema, drawn, top }: { pointer: string; schema: Schema; drawn: Drawn; top?: boolean }) {
  if (isWithin(pointer, drawn.closed)) return null;
  if (isGroup(schema)) {
    const parts = Object.entries(schema.properties ?? {}).map(([name, part]) => <Part key={name} pointer={`${pointer}/${name}`} schema={part} drawn={drawn} />);
    if (top) return <>{parts}</>;
    return <fieldset class="stack within"><legend>{labelOf(schema, pointer)}</legend>{parts}</fieldset>;
  }
  if (drawn.origins[pointer]?.locked) return <Locked pointer={pointer} schema={schema} drawn={drawn} />;
  if (drawn.pledged[pointer]) return <Pledge pointer={pointer} schema={schema} drawn={drawn} />;
  return <Asked pointer={pointer} schema={schema} drawn={drawn} />;
}

/** Departments that are silent, by the pointer of what they would have said. */
export const silent = (view: CaseView, sources: { pointer: string; source: string }[]): Record<string, string> =>
  Object.fromEntries(view.pledged.map((pointer) => [pointer, sources.find((one) => one.pointer === pointer)?.source ?? '']));
