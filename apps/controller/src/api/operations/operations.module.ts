import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { openApiProvider } from './openapi.provider.js';
import { OperationsController } from './operations.controller.js';

@Module({ imports: [DiscoveryModule], controllers: [OperationsController], providers: [openApiProvider] })
export class OperationsModule {}
