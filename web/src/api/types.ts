// Written by `python -m tests.web.api_types` from the doors' own types: never edited.

export interface Alive {
  status: string;
}

export interface Amount {
  amount: unknown;
  currency: string;
}

export interface BarrierCommand {
  command: 'open_barrier';
  lane: string;
  until: string | null;
}

export interface BillView {
  id: string;
  session: string;
  site: string;
  plate: string;
  entered_at: string;
  left_at: string;
  total: Money;
  paid: Money;
  state: 'open' | 'paid' | 'part_paid' | 'refunded' | 'void';
  tariff: ParkingBillsHttpTariffName;
  lines: LineView[];
  payments: PaymentView[];
  issued_at: string;
  version: number;
  certainty: string;
  provisional: boolean;
}

export interface ClassView {
  capacity: number;
  free: number;
  unknown: number;
}

export interface ClockView {
  city: string;
  wall: string;
  speed: number;
}

export interface CodeRequest {
  phone: string;
}

export interface CodeSent {
  expires_s: number;
  retry_s: number;
}

export interface CommandAnswer {
  ok: boolean;
}

export interface DeviceView {
  device: string;
  site: string;
  kind: string;
  lanes: string[];
  online: boolean;
  heard_at: string | null;
  clock_offset_s: number | null;
  firmware: string;
  readings: number;
  plate_read_rate: number | null;
  refused: number;
  seq_gaps: number;
  no_clock: number;
}

export interface DuesPaid {
  paid: Money;
}

export interface Entry {
  at: string;
  amount: Money;
  what: string;
  bill: string | null;
}

export interface FieldError {
  pointer: string;
  code: string;
  detail: string;
}

export interface LineView {
  kind: string;
  from: string;
  to: string;
  what: Words;
  amount: Money;
}

export interface Location {
  lon: number;
  lat: number;
}

export interface LogIn {
  phone: string;
  code: string;
  client: 'app' | 'page';
}

export interface LogInView {
  id: string;
  created_at: string;
  seen_at: string;
  current: boolean;
  what: string;
}

export interface LoggedInView {
  id: string;
  expires_at: string;
  person: PersonView;
  token?: string;
}

export interface Money {
  amount: number;
  currency: string;
}

export interface Name {
  zh: string;
  en: string;
}

export interface NearItem {
  site: NearSite;
  distance_m: number;
  walk_s: number;
  price: Money | null;
  p_free: number | null;
  why: string[];
  crs?: 'bd09' | 'gcj02' | 'wgs84';
}

export interface NearSite {
  id: string;
  name: Name;
  type: string;
  location: Location;
  entrance: Location;
  capacity: number;
  free: number;
  unknown: number;
  as_of: string | null;
  freshness: 'late' | 'live' | 'silent' | 'static';
}

export interface NewPlate {
  plate: string;
  colour: string | null;
  nickname: string | null;
}

export interface OperatorSessionView {
  id: string;
  site: string;
  spot: string | null;
  plate: string | null;
  entered_at: string;
  left_at: string | null;
  state: string;
  certainty: string;
  why: string[];
  fee: Money | null;
  bill: string | null;
  candidate: string | null;
}

export interface OperatorSiteView {
  id: string;
  name: Name;
  type: string;
  operator: string;
  location: Location;
  entrances: Location[];
  counted_by: string;
  capacity: number | null;
  free: number | null;
  occupied: number | null;
  unknown: number | null;
  out_of_order: number | null;
  classes: Record<string, ClassView>;
  as_of: string | null;
  freshness: 'late' | 'live' | 'silent' | 'static';
  trend: 'falling' | 'rising' | 'stable';
  tariff: TariffLabel | null;
  max_height_cm: number | null;
  max_stay_s: number | null;
  opening_hours: string;
  zone: string;
  crs?: 'bd09' | 'gcj02' | 'wgs84';
  problems: string[];
}

export interface PageBillView {
  items: BillView[];
  next_cursor: string | null;
}

export interface PageDeviceView {
  items: DeviceView[];
  next_cursor: string | null;
}

export interface PageLogInView {
  items: LogInView[];
  next_cursor: string | null;
}

export interface PageNearItem {
  items: NearItem[];
  next_cursor: string | null;
}

export interface PageOperatorSessionView {
  items: OperatorSessionView[];
  next_cursor: string | null;
}

export interface PageOperatorSiteView {
  items: OperatorSiteView[];
  next_cursor: string | null;
}

export interface PagePlateView {
  items: PlateView[];
  next_cursor: string | null;
}

export interface PageRefusedView {
  items: RefusedView[];
  next_cursor: string | null;
}

export interface PageSessionView {
  items: SessionView[];
  next_cursor: string | null;
}

export interface PageSiteView {
  items: SiteView[];
  next_cursor: string | null;
}

export interface PageSpotView {
  items: SpotView[];
  next_cursor: string | null;
}

export interface PayBody {
  rail: 'wallet';
}

export interface PaymentView {
  rail: string;
  amount: Money;
  at: string;
  state: 'paid' | 'refunded';
}

export interface PersonView {
  id: string;
  phone: string;
  level: string;
  roles: RoleView[];
}

export interface PlateView {
  id: string;
  plate: string;
  colour: string;
  nickname: string | null;
  proved: boolean;
  auto_pay: boolean;
  due?: Money;
}

export interface ProblemKind {
  type: string;
  title: string;
  status: number;
  about: string;
}

export interface ProblemView {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors: FieldError[];
}

export interface Proof {
  way: 'vehicle_licence';
  vin_last6: string;
}

export interface QuoteView {
  total: Money;
  tariff: ParkingTariffsHttpTariffName;
  lines: LineView[];
  provisional: boolean;
}

export interface Ready {
  ready: boolean;
  late: string[];
  stuck: Record<string, number>;
  facts_heard: number;
}

export interface RefusedView {
  id: number;
  at: string;
  device: string;
  site: string;
  topic: string;
  reason: string;
  detail: string;
  payload: string;
}

export interface RoleView {
  role: string;
  scope: string;
}

export interface SessionView {
  id: string;
  site: string;
  spot: string | null;
  plate: string | null;
  entered_at: string;
  left_at: string | null;
  state: string;
  certainty: string;
  why: string[];
  fee: Money | null;
  bill: string | null;
}

export interface SiteView {
  id: string;
  name: Name;
  type: string;
  operator: string;
  location: Location;
  entrances: Location[];
  counted_by: string;
  capacity: number | null;
  free: number | null;
  occupied: number | null;
  unknown: number | null;
  out_of_order: number | null;
  classes: Record<string, ClassView>;
  as_of: string | null;
  freshness: 'late' | 'live' | 'silent' | 'static';
  trend: 'falling' | 'rising' | 'stable';
  tariff: TariffLabel | null;
  max_height_cm: number | null;
  max_stay_s: number | null;
  opening_hours: string;
  zone: string;
  crs?: 'bd09' | 'gcj02' | 'wgs84';
}

export interface SpotView {
  id: string;
  lon: number;
  lat: number;
  class: string;
  state: 'free' | 'occupied' | 'out_of_order' | 'unknown';
  as_of: string | null;
  crs?: 'bd09' | 'gcj02' | 'wgs84';
}

export interface TariffLabel {
  id: string;
  version: number;
  text: Name;
}

export interface Thanks {
  code: string;
}

export interface TopUpSaid {
  id: string;
  state: string;
  amount: Money;
  at: string;
  pay_url: string | null;
}

export interface Wallet {
  balance: Money;
  entries: Entry[];
  next_cursor: string | null;
}

export interface Words {
  zh: string;
  en: string;
}

export interface ParkingBillsHttpTariffName {
  id: string;
  version: number;
  sha256: string;
}

export interface ParkingTariffsHttpTariffName {
  id: string;
  version: number;
  sha256: string;
}

export type Problem = ProblemView;
