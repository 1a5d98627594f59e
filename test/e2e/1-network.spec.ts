import { TestLab } from '../support/lab.js';
import { networkSuite } from './suites/network.js';

networkSuite(new TestLab());
