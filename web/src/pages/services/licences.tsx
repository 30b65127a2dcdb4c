// One's licences, also those that hold no more.
import type { LicenceView } from '../../api/types';
import { t } from '../../i18n/services';
import { t as shell } from '../../i18n/shell';
import { ActButton } from '../../kit/controls';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { PageHead } from '../../shell';
import { LicenceLink, usePages } from './parts';

export default function Licences() {
  const { items, error, again, more } = usePages<LicenceView>('/api/v1/services/licences', { limit: 30 });
  return (
    <main id="main" class="page">
      <PageHead title={t('licences')} back="/services" />
      <div class="wrap">
        {error && !items ? <Trouble error={error} again={again} /> : !items ? <Waiting /> : items.length === 0 ? <Empty>{t('licences.none')}</Empty> : <div class="licgrid">{items.map((one) => <LicenceLink key={one.id} one={one} />)}</div>}
        {more && <ActButton act={more} kind="">{shell('more')}</ActButton>}
        <p class="meta"><a href="/services/verify">{t('verify.title')}</a></p>
      </div>
    </main>
  );
}
