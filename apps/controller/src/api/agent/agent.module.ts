import { Module } from '@nestjs/common';
import { AgentController } from './agent.controller.js';
import { AgentService } from './agent.service.js';
import { NodeConfigs } from './node-configs.service.js';

@Module({ controllers: [AgentController], providers: [AgentService, NodeConfigs] })
export class AgentModule {}
