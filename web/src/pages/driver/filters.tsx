// What has to fit; the map's rings and the list follow the same.
import { t } from '../../i18n/driver';
import { Chip } from '../../kit/controls';
import { Icon } from '../../kit/icon';
import { plan, trip } from './trip';

export function Filters() {
  const { free, kind, high, indoor } = trip.value;
  const only = (one: 'electric' | 'accessible') => plan({ kind: kind === one ? null : one });
  return (
    <div class="chips" role="group" aria-label={t('filters')}>
      <Chip pressed={free} onPress={() => plan({ free: !free })}>{t('filter.free')}</Chip>
      <Chip pressed={kind === 'electric'} onPress={() => only('electric')} class="care-off"><Icon name="bolt" />{t('filter.electric')}</Chip>
      <Chip pressed={kind === 'accessible'} onPress={() => only('accessible')}><Icon name="wheelchair" />{t('filter.accessible')}</Chip>
      <Chip pressed={high} onPress={() => plan({ high: !high })} class="care-off"><Icon name="height" />{t('filter.height')}</Chip>
      <Chip pressed={indoor} onPress={() => plan({ indoor: !indoor })} class="care-off">{t('filter.indoor')}</Chip>
    </div>
  );
}
