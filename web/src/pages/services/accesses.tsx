// Every read of one's data by anybody, newest first.
import type { AccessView, PageMatterRow } from '../../api/types';
import { useGet } from '../../api/use';
import { named } from '../../i18n';
import { t } from '../../i18n/services';
import { t as shell } from '../../i18n/shell';
import { ActButton } from '../../kit/controls';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { PageHead } from '../../shell';
import { Accesses } from './accesses_table';
import { usePages } from './parts';

export default function AccessesPage() {
  const { items, error, again, more } = usePages<AccessView>('/api/v1/me/accesses', { limit: 50 });
  const matters = useGet<PageMatterRow>('/api/v1/services/matters', { query: { limit: 500 } }).data?.items ?? [];
  const purpose = (code: string) => {
    const found = matters.find((one) => one.code === code);
    return found ? named(found.name) : code;
  };
  return (
    <main id="main" class="page">
      <PageHead title={t('looks.title')} back="/services" />
      <div class="wrap">
        <p class="meta">{t('looks.intro')}</p>
        {error && !items ? <Trouble error={error} again={again} /> : !items ? <Waiting /> : items.length === 0 ? <Empty>{t('looks.none')}</Empty> : <section class="card"><Accesses items={items} purpose={purpose} /></section>}
        {more && <ActButton act={more} kind="">{shell('more')}</ActButton>}
        <p class="fine">{t('looks.wrong')}</p>
      </div>
    </main>
  );
}
