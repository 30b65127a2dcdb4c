// Devices as they do now, and strangers at the door that one click takes in.
import { useState } from 'preact/hooks';
import { cityNow } from '../../api/city_clock';
import { ask, ProblemError } from '../../api/client';
import type { DeviceCard, DeviceView, PageDeviceView, PageUnknownView, UnknownView } from '../../api/types';
import { useGet } from '../../api/use';
import { ago, dayTime } from '../../i18n';
import { t } from '../../i18n/operator';
import { ActButton, Chip, Segmented } from '../../kit/controls';
import { ErrorSummary, TextField } from '../../kit/field';
import { Pane } from '../../kit/kpi';
import { Empty, Trouble, Waiting, wordsOf } from '../../kit/say';
import { Light } from '../../kit/status';
import { Table } from '../../kit/table';
import { Console, useRows } from './frame';

const QUIET_MS = 600_000, CLOCK_S = 120, PLATES = 0.95;
const KINDS = ['camera', 'gate', 'counter'] as const;
type Kind = (typeof KINDS)[number];

export function deviceState(one: DeviceView) {
  if (one.heard_at === null) return <Light tone="mute">{t('device.never')}</Light>;
  const heard = new Date(one.heard_at), quiet = cityNow().getTime() - heard.getTime();
  if (!one.online) return <Light tone="bad">{t('device.off')} <span class="nowrap">{ago(heard, cityNow())}</span></Light>;
  if (quiet > QUIET_MS) return <Light tone="warn">{t('device.quiet')}</Light>;
  if (one.clock_offset_s === null || Math.abs(one.clock_offset_s) > CLOCK_S) return <Light tone="warn">{t('device.clock')}</Light>;
  if (one.plate_read_rate !== null && one.plate_read_rate < PLATES) return <Light tone="warn">{t('device.plates')}</Light>;
  return <Light tone="ok">{t('device.online')}</Light>;
}

const PATH = '/api/v1/operator/devices';

export default function Devices() {
  const [troubled, setTroubled] = useState(false);
  return (
    <Console title={t('devices')}>
      <Strangers />
      <Pane title={t('devices')} scrolls={t('devices.table')} end={<div class="end"><Chip pressed={troubled} onPress={() => setTroubled(!troubled)}>{t('devices.filter')}</Chip></div>}>
        <Rows key={String(troubled)} query={{ limit: 200, troubled: String(troubled) }} />
      </Pane>
    </Console>
  );
}

function Rows({ query }: { query: { limit: number; troubled: string } }) {
  const first = useGet<PageDeviceView>(PATH, { query, every: 15_000 });
  const { rows, more } = useRows<DeviceView>(first.data, PATH, query);
  if (!first.data) return first.error ? <Trouble error={first.error} again={first.again} /> : <Waiting />;
  if (rows.length === 0) return <Empty>{t('devices.none')}</Empty>;
  return (
    <>
      <Table caption={t('devices.table')} rows={rows} id={(one) => one.device} columns={[
        { key: 'device', head: t('col.device'), order: (one) => one.device, cell: (one) => <span class="code">{one.device}</span> },
        { key: 'site', head: t('col.site'), order: (one) => one.site, cell: (one) => <span class="code">{one.site}</span> },
        { key: 'kind', head: t('col.kind'), cell: (one) => t(`device.${one.kind as Kind}`) },
        { key: 'state', head: t('col.state'), cell: deviceState },
        { key: 'heard', head: t('col.heard'), order: (one) => one.heard_at ?? '', cell: (one) => (one.heard_at ? ago(new Date(one.heard_at), cityNow()) : '—') },
        { key: 'clock', head: t('col.clock'), number: true, order: (one) => Math.abs(one.clock_offset_s ?? 0), cell: (one) => (one.clock_offset_s === null ? t('device.clock.unknown') : `${one.clock_offset_s} s`) },
        { key: 'plates', head: t('col.plates'), number: true, order: (one) => one.plate_read_rate ?? 2, cell: (one) => (one.plate_read_rate === null ? '—' : `${(100 * one.plate_read_rate).toFixed(1)}%`) },
        { key: 'refused', head: t('col.refused'), number: true, order: (one) => one.refused, cell: (one) => one.refused },
        { key: 'gaps', head: t('col.gaps'), number: true, order: (one) => one.seq_gaps, cell: (one) => one.seq_gaps },
      ]} />
      {more}
    </>
  );
}

function Strangers() {
  const unknown = useGet<PageUnknownView>('/api/v1/operator/unknown', { query: { limit: 50 }, every: 15_000 });
  const [chosen, setChosen] = useState<UnknownView | null>(null);
  const rows = unknown.data?.items ?? [];
  return (
    <Pane title={t('unknown')} fine={t('unknown.fine')}>
      {rows.length === 0 ? <p class="pad c-2">{t('unknown.none')}</p> : (
        <div class="body" tabIndex={0} role="group" aria-label={t('unknown.table')}>
          <Table caption={t('unknown')} rows={rows} id={(one) => `${one.device} ${one.address}`} columns={[
            { key: 'device', head: t('col.device'), cell: (one) => <span class="code">{one.device}</span> },
            { key: 'from', head: t('col.address'), cell: (one) => <span class="code">{one.address}</span> },
            { key: 'why', head: t('col.reason'), cell: (one) => t(one.reason === 'unknown' ? 'unknown.unknown' : 'unknown.wrong_password') },
            { key: 'at', head: t('col.time'), cell: (one) => dayTime(one.last_at) },
            { key: 'tries', head: t('col.tries'), number: true, cell: (one) => one.tries },
            { key: 'adopt', head: t('adopt'), cell: (one) => <button type="button" class="btn s" onClick={() => setChosen(one)}>{one.reason === 'unknown' ? t('adopt') : t('adopt.again')}</button> },
          ]} />
        </div>
      )}
      {chosen && <Adopt key={chosen.device} stranger={chosen} done={() => unknown.again()} />}
    </Pane>
  );
}

/** lot-7-cam-2 is most likely a camera of lot-7: what its name says is only proposed. */
function guess(device: string): { site: string; kind: Kind } {
  const [, site, short] = /^(.*)-(cam|gate|cnt)-\d+$/.exec(device) ?? [];
  return { site: site ?? device, kind: short === 'gate' ? 'gate' : short === 'cnt' ? 'counter' : 'camera' };
}

function Adopt({ stranger, done }: { stranger: UnknownView; done: () => void }) {
  const [site, setSite] = useState(guess(stranger.device).site);
  const [kind, setKind] = useState<Kind>(guess(stranger.device).kind);
  const [lanes, setLanes] = useState('');
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [card, setCard] = useState<DeviceCard | null>(null);
  const adopt = async () => {
    try {
      setErrors({});
      const named = lanes.split(/[,，\s]+/).filter(Boolean);
      setCard(await ask<DeviceCard>('POST', PATH, { body: { site, kind, name: stranger.device, lanes: kind === 'gate' ? named : [] } }));
      done();
    } catch (error) {
      setErrors(error instanceof ProblemError && error.status === 404 ? { 'adopt-site': error.problem.detail ?? error.problem.title } : { '': wordsOf(error) });
    }
  };
  if (card) return <Card card={card} />;
  return (
    <div class="pad stack">
      <h3>{t('adopt.title', { device: stranger.device })}</h3>
      <ErrorSummary errors={errors} />
      <TextField id="adopt-site" label={t('adopt.site')} value={site} onValue={setSite} error={errors['adopt-site']} />
      <Segmented label={t('adopt.kind')} value={kind} onChange={setKind} options={KINDS.map((value) => ({ value, text: t(`device.${value}`) }))} />
      {kind === 'gate' && <TextField id="adopt-lanes" label={t('adopt.lanes')} hint={t('adopt.lanes.hint')} value={lanes} onValue={setLanes} />}
      <ActButton act={adopt}>{t('adopt.do')}</ActButton>
    </div>
  );
}

const Card = ({ card }: { card: DeviceCard }) => (
  <div class="pad stack" role="status">
    <p><b>{t('adopt.done')}</b></p>
    <dl class="card code">
      <dt>{t('adopt.address')}</dt><dd>{card.host}:{card.port}</dd>
      <dt>{t('adopt.user')}</dt><dd>{card.device}</dd>
      <dt>{t('adopt.password')}</dt><dd>{card.password}</dd>
      <dt>{t('adopt.topic')}</dt><dd>{card.topic}/…</dd>
    </dl>
  </div>
);
