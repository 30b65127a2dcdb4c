// One's own plate is the account: in the search bar, leading to the car.
import { useEffect } from 'preact/hooks';
import { signal } from '@preact/signals';
import { get } from '../../api/client';
import { me } from '../../api/session';
import type { PagePlateView, PlateView } from '../../api/types';
import { t } from '../../i18n/driver';
import { t as shell } from '../../i18n/shell';
import { Plate } from '../../kit/plate';

export const plates = signal<PlateView[] | null>(null);

export async function loadPlates(): Promise<void> {
  plates.value = (await get<PagePlateView>('/api/v1/me/plates', { limit: 100 })).items;
}

export function MyPlate() {
  const who = me.value;
  useEffect(() => {
    if (who && plates.value === null) loadPlates().catch(() => undefined); // The page itself says what does not answer.
    if (!who) plates.value = null;
  }, [who?.id]);
  const first = plates.value?.find((one) => one.proved) ?? plates.value?.[0];
  if (first) return <a class="bareplate phone-only" href="/car" aria-label={t('car.mine', { plate: first.plate })}><Plate plate={first.plate} colour={first.colour} size="s" /></a>;
  return who === null ? <a class="btn s phone-only" href="/login">{shell('login')}</a> : null;
}
