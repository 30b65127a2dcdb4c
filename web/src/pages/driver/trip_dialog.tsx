// When, how long, how far: the platform's own dialog and controls.
import { useEffect, useRef } from 'preact/hooks';
import { cityNow } from '../../api/city_clock';
import { clockTime, day, hours, metres } from '../../i18n';
import { t } from '../../i18n/driver';
import { Segmented } from '../../kit/controls';
import { plan, RADII, STAY_MAX, trip } from './trip';

export type Part = 'arrive' | 'stay';
const STEP_S = 1800, AHEAD = 48;

/** The next half hours, by the city's clock. */
function times(): { value: string; text: string }[] {
  const first = Math.ceil(cityNow().getTime() / (STEP_S * 1000) + 0.5) * STEP_S * 1000;
  return Array.from({ length: AHEAD }, (_, i) => new Date(first + i * STEP_S * 1000)).map((at) => ({ value: at.toISOString(), text: `${day(at)} ${clockTime(at)}` }));
}

export function TripDialog({ part, onClose }: { part: Part; onClose: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  const { arrive, stay, radius } = trip.value;
  const options = times();
  useEffect(() => {
    box.current!.showModal();
    document.getElementById(`trip-${part}`)?.focus();
  }, []);
  return (
    <dialog ref={box} class="dialog" aria-labelledby="trip-title" onClose={onClose} onClick={(event) => event.target === box.current && box.current!.close()}>
      <form method="dialog" class="stack">
        <h2 id="trip-title">{t('trip')}</h2>
        <div class="field">
          <label for="trip-arrive">{t('trip.arrive')}</label>
          <select id="trip-arrive" class="input" value={arrive ?? ''} onChange={(event) => plan({ arrive: event.currentTarget.value || null })}>
            <option value="">{t('trip.now')}</option>
            {arrive && !options.some((one) => one.value === arrive) && <option value={arrive}>{`${day(arrive)} ${clockTime(arrive)}`}</option>}
            {options.map((one) => <option key={one.value} value={one.value}>{one.text}</option>)}
          </select>
        </div>
        <div class="field">
          <label for="trip-stay">{t('trip.stay')} <output class="strong">{hours(stay)}</output></label>
          <input id="trip-stay" class="range" type="range" min={STEP_S} max={STAY_MAX} step={STEP_S} value={stay} aria-valuetext={hours(stay)} onInput={(event) => plan({ stay: Number(event.currentTarget.value) })} />
        </div>
        <div class="field">
          <span class="lab">{t('trip.radius')}</span>
          <Segmented label={t('trip.radius')} value={String(radius)} options={RADII.map((one) => ({ value: String(one), text: metres(one) }))} onChange={(value) => plan({ radius: Number(value) })} />
        </div>
        <button type="submit" class="btn go block">{t('trip.done')}</button>
      </form>
    </dialog>
  );
}
