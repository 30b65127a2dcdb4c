// A keypad made for plates: provinces first, then letters and digits without I and O, which no serial has.
import { t } from '../i18n/driver';

const PROVINCES = [...'京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使'];
const SIGNS = [...'1234567890QWERTYUPASDFGHJKLZXCVBNM学警港澳领挂'];
export const LENGTH_MAX = 8;

export function PlateKeypad({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const signs = [...value], full = signs.length >= LENGTH_MAX, keys = signs.length === 0 ? PROVINCES : SIGNS;
  return (
    <div class="stack">
      <div class="plate-in" aria-hidden="true">
        {Array.from({ length: LENGTH_MAX }, (_, i) => (
          <span key={i} class={[i === signs.length ? 'cur' : '', i === LENGTH_MAX - 1 && !signs[i] ? 'nev' : ''].join(' ')}>{signs[i] ?? (i === LENGTH_MAX - 1 ? t('plate.nev') : '')}</span>
        ))}
      </div>
      <div class="keys" role="group" aria-label={t('plate.keys')}>
        {keys.map((sign) => <button key={sign} type="button" disabled={full || (signs.length === 1 && /[0-9学警港澳领挂]/.test(sign))} onClick={() => onChange(value + sign)}>{sign}</button>)}
        <button type="button" class="w3" disabled={!value} onClick={() => onChange(signs.slice(0, -1).join(''))}>{t('plate.delete')}</button>
      </div>
    </div>
  );
}
