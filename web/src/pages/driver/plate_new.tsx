// Add a plate by the plate keypad, or typed; it is checked where plates are known.
import { useMemo, useState } from 'preact/hooks';
import { ask, freshKey, ProblemError } from '../../api/client';
import type { PlateView } from '../../api/types';
import { t } from '../../i18n/driver';
import { t as shell } from '../../i18n/shell';
import { ActButton } from '../../kit/controls';
import { ErrorSummary, Field, TextField } from '../../kit/field';
import { Plate, type PlateColour } from '../../kit/plate';
import { LENGTH_MAX, PlateKeypad } from '../../kit/plate_keypad';
import { wordsOf } from '../../kit/say';
import { go } from '../../router';
import { PageHead } from '../../shell';
import { loadPlates } from './my_plate';
import './me.css';

const COLOURS: PlateColour[] = ['blue', 'green', 'yellow', 'yellow_green', 'white', 'black'];
const usual = (plate: string): PlateColour => ([...plate].length === LENGTH_MAX ? 'green' : /警/.test(plate) ? 'white' : /[学挂]/.test(plate) ? 'yellow' : /[使领港澳]/.test(plate) ? 'black' : 'blue');

export default function NewPlate() {
  const [plate, setPlate] = useState(''), [chosen, setChosen] = useState<PlateColour | null>(null), [nickname, setNickname] = useState('');
  const [errors, setErrors] = useState<Record<string, string>>({});
  const colour = chosen ?? usual(plate), key = useMemo(freshKey, [plate, colour, nickname]);
  const type = (value: string) => setPlate([...value.toUpperCase().replace(/[\s·.-]/g, '')].slice(0, LENGTH_MAX).join(''));
  const add = async () => {
    if (!plate) return setErrors({ plate: t('plate.bad') });
    try {
      const made = await ask<PlateView>('POST', '/api/v1/me/plates', { body: { plate, colour, nickname: nickname || null }, key });
      await loadPlates();
      go(`/plates/${made.id}`, { replace: true });
    } catch (error) {
      const fields = error instanceof ProblemError ? error.fields : {};
      if (fields['/plate'] || fields['/colour']) setErrors({ plate: t('plate.bad') });
      else if (fields['/nickname']) setErrors({ nickname: t('plate.nickname.bad') });
      else setErrors({ '': wordsOf(error) });
    }
  };
  return (
    <main id="main" class="page">
      <PageHead title={t('car.add')} back="/car" />
      <div class="wrap narrow">
        <ErrorSummary errors={errors} />
        <form class="card sec stack" noValidate onSubmit={(event) => { event.preventDefault(); void add(); }}>
          <TextField id="plate" label={t('plate.label')} hint={t('plate.hint')} error={errors.plate} value={plate} onValue={type} autocomplete="off" />
          <PlateKeypad value={plate} onChange={type} />
          <Field id="colour" label={t('plate.colour')}>
            <select id="colour" class="input" value={colour} onChange={(event) => setChosen(event.currentTarget.value as PlateColour)}>
              {COLOURS.map((one) => <option key={one} value={one}>{shell(`plate.${one}`)}</option>)}
            </select>
          </Field>
          <TextField id="nickname" label={t('plate.nickname')} error={errors.nickname} value={nickname} onValue={setNickname} maxLength={20} />
          {plate.length > 2 && <p class="centre"><Plate plate={plate} colour={colour} size="l" /></p>}
          <ActButton act={add} class="block">{t('plate.save')}</ActButton>
          <p class="fine">{t('plate.fine')}</p>
        </form>
      </div>
    </main>
  );
}
